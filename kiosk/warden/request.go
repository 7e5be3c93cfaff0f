package warden

import (
	"fmt"
	"os"
	"path/filepath"
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
