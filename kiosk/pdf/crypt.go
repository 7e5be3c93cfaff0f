package pdf

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/md5"
	"crypto/rc4"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/binary"
	"io"
)

// padding fills a password up; an empty one is nothing else (7.6.4.3.2).
const padding = "\x28\xBF\x4E\x5E\x4E\x75\x8A\x41\x64\x00\x4E\x56\xFF\xFA\x01\x08\x2E\x2E\x00\xB6\xD0\x68\x3E\x80\x2F\x0C\xA9\xFE\x64\x53\x69\x7A"

// method is how streams are encrypted.
type method int

const (
	methodNone method = iota
	methodRC4
	methodAES128
	methodAES256
)

// security decrypts what the empty user password opens.
type security struct {
	key    []byte
	method method
}

// newSecurity opens a document with the empty password; ErrEncrypted when that
// is not it, or when another handler than the standard one wants something else.
func newSecurity(d *document, enc dict, id []byte) (*security, error) {
	if f, err := d.resolve(enc["Filter"]); err != nil || f != name("Standard") {
		return nil, ErrEncrypted
	}
	v, err1 := d.integer(enc["V"], 99)
	r, err2 := d.integer(enc["R"], 99)
	if err1 != nil || err2 != nil {
		return nil, ErrEncrypted
	}
	s := &security{}
	bits := 40
	switch v {
	case 1:
		s.method = methodRC4
	case 2, 3:
		s.method = methodRC4
		if n, err := d.integer(enc["Length"], 128); err == nil {
			bits = n
		}
	case 4, 5:
		bits = 128
		if err := s.cryptFilter(d, enc); err != nil {
			return nil, err
		}
	default:
		return nil, ErrEncrypted
	}
	if bits < 40 || bits%8 != 0 {
		return nil, ErrEncrypted
	}
	var ok bool
	switch {
	case r >= 2 && r <= 4:
		ok = s.open(d, enc, id, r, bits/8)
	case r == 5 || r == 6:
		ok = s.open256(d, enc, r)
	}
	if !ok {
		return nil, ErrEncrypted
	}
	return s, nil
}

// cryptFilter looks up how streams are encrypted (7.6.6).
func (s *security) cryptFilter(d *document, enc dict) error {
	f, err := d.resolve(enc["StmF"])
	if err != nil {
		return err
	}
	if f == nil || f == name("Identity") {
		return nil
	}
	n, ok := f.(name)
	if !ok {
		return ErrEncrypted
	}
	all, err := d.dict(enc["CF"])
	if err != nil {
		return err
	}
	m, err := d.dict(all[n])
	if err != nil {
		return err
	}
	cfm, err := d.resolve(m["CFM"])
	if err != nil {
		return err
	}
	switch cfm {
	case nil, name("None"):
	case name("V2"):
		s.method = methodRC4
	case name("AESV2"):
		s.method = methodAES128
	case name("AESV3"):
		s.method = methodAES256
	default:
		return ErrEncrypted
	}
	return nil
}

// words are the strings of the dictionary, at least as long as said.
func words(d *document, enc dict, length map[name]int) (map[name][]byte, bool) {
	m := map[name][]byte{}
	for key, n := range length {
		v, err := d.resolve(enc[key])
		t, ok := v.(text)
		if err != nil || !ok || len(t) < n {
			return nil, false
		}
		m[key] = t[:n]
	}
	return m, true
}

// open computes the key of revisions 2 to 4 and tries it (algorithms 2, 4, 5).
func (s *security) open(d *document, enc dict, id []byte, r, size int) bool {
	w, ok := words(d, enc, map[name]int{"O": 32, "U": 32})
	if !ok {
		return false
	}
	p, err := d.resolve(enc["P"])
	perm, ok := p.(int64)
	if err != nil || !ok {
		return false
	}
	if r == 2 {
		size = 5
	}
	h := md5.New()
	h.Write([]byte(padding))
	h.Write(w["O"])
	binary.Write(h, binary.LittleEndian, uint32(perm))
	h.Write(id)
	if meta, err := d.resolve(enc["EncryptMetadata"]); err == nil && r >= 4 && meta == false {
		h.Write([]byte{0xff, 0xff, 0xff, 0xff})
	}
	sum := h.Sum(nil)
	if r >= 3 {
		for range 50 {
			next := md5.Sum(sum[:size])
			sum = next[:]
		}
	}
	s.key = sum[:size]
	if r == 2 {
		got := []byte(padding)
		rc4With(s.key, got)
		return bytes.Equal(got, w["U"])
	}
	sum16 := md5.Sum(append([]byte(padding), id...))
	got := sum16[:]
	for i := range 20 {
		key := bytes.Clone(s.key)
		for j := range key {
			key[j] ^= byte(i)
		}
		rc4With(key, got)
	}
	return bytes.Equal(got, w["U"][:16])
}

func rc4With(key, b []byte) {
	if c, err := rc4.NewCipher(key); err == nil {
		c.XORKeyStream(b, b)
	}
}

// open256 is the same for revisions 5 and 6 (algorithms 2.A and 11).
func (s *security) open256(d *document, enc dict, r int) bool {
	w, ok := words(d, enc, map[name]int{"U": 48, "UE": 32})
	if !ok {
		return false
	}
	hash := func(salt []byte) []byte {
		h := sha256.Sum256(salt)
		if r == 5 {
			return h[:]
		}
		return hash6(h[:])
	}
	u := w["U"]
	if !bytes.Equal(hash(u[32:40]), u[:32]) {
		return false
	}
	block, err := aes.NewCipher(hash(u[40:48]))
	if err != nil {
		return false
	}
	s.key = bytes.Clone(w["UE"])
	cipher.NewCBCDecrypter(block, make([]byte, aes.BlockSize)).CryptBlocks(s.key, s.key)
	return true
}

// hash6 is algorithm 2.B for an empty password, from the first hash on.
func hash6(k []byte) []byte {
	for rounds := 1; ; rounds++ {
		k1 := bytes.Repeat(k, 64)
		block, err := aes.NewCipher(k[:16])
		if err != nil {
			return nil
		}
		cipher.NewCBCEncrypter(block, k[16:32]).CryptBlocks(k1, k1)
		sum := 0
		for _, b := range k1[:16] {
			sum += int(b) // 256 is 1 modulo 3
		}
		switch sum % 3 {
		case 0:
			h := sha256.Sum256(k1)
			k = h[:]
		case 1:
			h := sha512.Sum384(k1)
			k = h[:]
		case 2:
			h := sha512.Sum512(k1)
			k = h[:]
		}
		if rounds >= 64 && int(k1[len(k1)-1]) <= rounds-32 {
			return k[:32]
		}
	}
}

// reader decrypts the bytes of a stream (algorithm 1 and 1.A).
func (s *security) reader(r io.Reader, number, gen int) (io.Reader, error) {
	if s.method == methodNone {
		return r, nil
	}
	key := s.key
	if s.method != methodAES256 {
		h := md5.New()
		h.Write(key)
		h.Write([]byte{byte(number), byte(number >> 8), byte(number >> 16), byte(gen), byte(gen >> 8)})
		if s.method == methodAES128 {
			h.Write([]byte("sAlT"))
		}
		key = h.Sum(nil)[:min(len(key)+5, 16)]
	}
	if s.method == methodRC4 {
		c, err := rc4.NewCipher(key)
		if err != nil {
			return nil, ErrBroken
		}
		return cipher.StreamReader{S: c, R: r}, nil
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, ErrBroken
	}
	b, err := io.ReadAll(io.LimitReader(r, maxDecoded+2*aes.BlockSize))
	if err != nil || len(b) < aes.BlockSize {
		return nil, ErrBroken
	}
	iv, b := b[:aes.BlockSize], b[aes.BlockSize:]
	b = b[:len(b)/aes.BlockSize*aes.BlockSize]
	cipher.NewCBCDecrypter(block, iv).CryptBlocks(b, b)
	return bytes.NewReader(b), nil // the padding comes after what is unpacked
}
