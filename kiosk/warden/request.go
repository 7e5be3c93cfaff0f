package warden

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"borne/kiosk/sandbox"
)

// ReceiptRequest returns a certificate request (PKCS #10, DER) of the receipt
// key that lives in the state folder, and makes the key on first use. It serves
// enrolment by root, whether the role runs or not: it touches nothing but the key.
func ReceiptRequest(state string) ([]byte, error) {
	dir := filepath.Join(state, "warden")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("cannot make the state folder: %w", err)
	}
	key, err := openKey(filepath.Join(dir, "receipt.key"))
	if err != nil {
		return nil, err
	}
	return (&ledger{key: key}).csr()
}

// Survey tells what this machine can do, without serving an agent: it takes the
// state folder, builds and destroys a probe sandbox, and lets go. It fails
// while the role runs on that folder.
func Survey(ctx context.Context, c Config) (sandbox.Surveyed, error) {
	w, closeAll, err := open(ctx, c)
	if err != nil {
		return sandbox.Surveyed{}, err
	}
	defer closeAll()
	s, err := w.survey(ctx)
	if err != nil {
		return sandbox.Surveyed{}, err
	}
	return *s, nil
}
