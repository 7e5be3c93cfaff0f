package server

import (
	"archive/tar"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"strings"
)

// unpack writes the archive's known files below dir, and refuses everything
// else, and what does not hash to what the backup says.
func unpack(r io.Reader, dir string) (m manifest, err error) {
	t := tar.NewReader(r)
	sums, listed := map[string]string{}, map[string]string{}
	for {
		h, err := t.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return m, fmt.Errorf("cannot read the backup: %w", err)
		}
		into, limit, err := placeOf(h)
		if _, twice := sums[h.Name]; err != nil || twice || len(sums) >= maxFiles {
			return m, fmt.Errorf("cannot use the backup: %.100q does not belong there", h.Name)
		}
		if h.Size > limit {
			return m, fmt.Errorf("cannot use the backup: %.100q is too large", h.Name)
		}
		if sums[h.Name], err = unpackFile(t, filepath.Join(dir, into), h.Size); err != nil {
			return m, err
		}
	}
	// The end of an encrypted one proves that nothing was cut off.
	if n, err := io.Copy(io.Discard, r); err != nil {
		return m, fmt.Errorf("cannot read the backup to its end: %w", err)
	} else if n > maxKeyFile {
		return m, errors.New("cannot use the backup: something follows its end")
	}
	if err := readJSON(filepath.Join(dir, backupManifest), &m); err != nil {
		return m, fmt.Errorf("cannot use the backup: it is not one of borne-controller: %w", err)
	}
	switch m.Format {
	case 1: // made before there were sums
		return m, nil
	case backupFormat:
	default:
		return m, fmt.Errorf("cannot use the backup: its format %d is not known here (made by version %.40q)", m.Format, m.Version)
	}
	if err := readJSON(filepath.Join(dir, backupSums), &listed); err != nil {
		return m, fmt.Errorf("cannot use the backup: it is not whole: %w", err)
	}
	delete(sums, backupSums)
	if !maps.Equal(sums, listed) {
		return m, errors.New("cannot use the backup: its files are not those that were backed up: take another one")
	}
	return m, nil
}

// placeOf is where a file of the archive goes, and how large it may be.
func placeOf(h *tar.Header) (into string, limit int64, err error) {
	key, isKey := strings.CutPrefix(h.Name, backupKeys)
	switch {
	case h.Typeflag != tar.TypeReg || h.Size < 0:
	case h.Name == backupStore:
		return filepath.Join("store", backupStore), maxDatabase, nil
	case h.Name == backupManifest || h.Name == backupSums:
		return h.Name, maxKeyFile, nil
	case isKey && key != "" && key == filepath.Base(key) && !strings.HasPrefix(key, "."):
		return filepath.Join("keys", key), maxKeyFile, nil
	}
	return "", 0, errors.New("no file of a backup")
}

func readJSON(path string, v any) error {
	b, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	return json.Unmarshal(b, v)
}

func unpackFile(r io.Reader, path string, size int64) (sum string, err error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return "", fmt.Errorf("cannot unpack the backup: %w", err)
	}
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return "", fmt.Errorf("cannot unpack the backup: %w", err)
	}
	h := sha256.New()
	_, err = io.CopyN(io.MultiWriter(f, h), r, size)
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return "", fmt.Errorf("cannot unpack the backup: %w", err)
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}
