// Package lists brings lists of categories for minors in, in the format of the
// Université de Toulouse (a folder for each category, with the files domains
// and urls), and keeps them as terminals fetch them: one file a category, named
// by its digest.
package lists

import (
	"archive/tar"
	"bufio"
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"path"
	"slices"
	"strings"

	"borne/controller/wire"

	"golang.org/x/net/idna"
)

// Limits on an archive, which is foreign.
const (
	MaxArchive    = 512 << 20 // bytes as it comes
	maxUnpacked   = 4 << 30   // bytes
	maxEntries    = 20000
	maxCategories = 200
	maxNames      = 24 << 20 // of all categories: 8 bytes each while they are read
	maxLine       = 4096
)

// Category is one list that was read.
type Category struct {
	Name      string
	Names     int // that a resolver can refuse
	URLs      int // of the file urls: a resolver sees no path, so that they are not enforced
	Addresses int // lines that are IP addresses: no name is asked for them, not enforced either
	Unread    int // lines that are no name
	File      []byte
	Digest    string
}

// ErrArchive reports bytes that are no archive of lists.
var ErrArchive = errors.New("not an archive of category lists")

// Read reads a tar archive, compressed by gzip or not. Nothing of it is ever
// written to a path that it names.
func Read(r io.Reader) ([]Category, error) {
	in := &bounded{r: r, left: MaxArchive, what: "the archive"}
	buf := bufio.NewReaderSize(in, 64<<10)
	var plain io.Reader = buf
	if head, err := buf.Peek(2); err == nil && head[0] == 0x1f && head[1] == 0x8b {
		z, err := gzip.NewReader(buf)
		if err != nil {
			return nil, bad(err)
		}
		plain = z
	}
	t := tar.NewReader(&bounded{r: plain, left: maxUnpacked, what: "what is in the archive"})
	c := collector{of: map[string]*category{}}
	for entries := 0; ; entries++ {
		h, err := t.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, bad(err)
		}
		if entries >= maxEntries {
			return nil, fmt.Errorf("cannot read the lists: more than %d files: %w", maxEntries, ErrArchive)
		}
		if err := c.entry(h, t); err != nil {
			return nil, err
		}
	}
	return c.done()
}

func bad(err error) error { return fmt.Errorf("cannot read the lists: %w: %w", ErrArchive, err) }

// bounded ends with an error, and not with EOF, at its limit.
type bounded struct {
	r    io.Reader
	left int64
	what string
}

func (b *bounded) Read(p []byte) (int, error) {
	if b.left <= 0 {
		return 0, fmt.Errorf("%s is too large", b.what)
	}
	n, err := b.r.Read(p[:min(int64(len(p)), b.left)])
	b.left -= int64(n)
	return n, err
}

type category struct {
	Category
	keys    []uint64
	domains bool
}

type collector struct {
	of    map[string]*category
	total int
}

// entry reads CATEGORY/domains and CATEGORY/urls, at any depth; other files
// (usage, expressions, very_restrictive) and links are not read.
func (c *collector) entry(h *tar.Header, r io.Reader) error {
	if strings.Contains(h.Name, "..") || strings.HasPrefix(h.Name, "/") || strings.ContainsAny(h.Name, "\\\x00") {
		return fmt.Errorf("cannot read the lists: the path %.80q leads out of the archive: %w", h.Name, ErrArchive)
	}
	dir, file := path.Split(path.Clean(h.Name))
	if h.Typeflag != tar.TypeReg || file != "domains" && file != "urls" {
		return nil
	}
	name := path.Base(dir)
	if !wire.ValidCategory(name) || name == Own {
		return fmt.Errorf("cannot read the lists: %.60q is no name of a category: %w", name, ErrArchive)
	}
	k := c.of[name]
	if k == nil {
		if len(c.of) >= maxCategories {
			return fmt.Errorf("cannot read the lists: more than %d categories: %w", maxCategories, ErrArchive)
		}
		k = &category{Category: Category{Name: name}}
		c.of[name] = k
	}
	if file == "domains" {
		if k.domains {
			return fmt.Errorf("cannot read the lists: the category %s is there twice: %w", name, ErrArchive)
		}
		k.domains = true
	}
	return c.lines(k, file, r)
}

// Own is the category that stands for what a policy blocks by itself.
const Own = "local"

func (c *collector) lines(k *category, file string, r io.Reader) error {
	s := bufio.NewScanner(r)
	s.Buffer(make([]byte, 0, 64<<10), maxLine)
	for s.Scan() {
		line := bytes.TrimSpace(s.Bytes())
		if len(line) == 0 || line[0] == '#' {
			continue
		}
		if file == "urls" {
			k.URLs++
			continue
		}
		name, kind := Name(string(line))
		switch kind {
		case isAddress:
			k.Addresses++
		case isName:
			if c.total++; c.total > maxNames {
				return fmt.Errorf("cannot read the lists: more than %d names: %w", maxNames, ErrArchive)
			}
			k.keys = append(k.keys, wire.NameKey(name))
		default:
			k.Unread++
		}
	}
	if errors.Is(s.Err(), bufio.ErrTooLong) {
		return fmt.Errorf("cannot read the lists: a line of %s/%s passes %d bytes: %w", k.Name, file, maxLine, ErrArchive)
	}
	if s.Err() != nil {
		return bad(s.Err())
	}
	return nil
}

// What a line is.
type kind int

const (
	isNothing kind = iota
	isName
	isAddress
)

// Name puts a line into the form that is looked for: small letters, no dot at
// either end, international names in ASCII.
func Name(line string) (string, kind) {
	name := strings.ToLower(strings.Trim(line, "."))
	if _, err := netip.ParseAddr(name); err == nil {
		return "", isAddress
	}
	if strings.ContainsFunc(name, func(r rune) bool { return r >= 0x80 }) {
		ascii, err := idna.Lookup.ToASCII(name)
		if err != nil {
			return "", isNothing
		}
		name = ascii
	}
	if !hostname(name) {
		return "", isNothing
	}
	return name, isName
}

// hostname tells whether s is a name of at least two labels.
func hostname(s string) bool {
	if len(s) > 253 || !strings.Contains(s, ".") {
		return false
	}
	for label := range strings.SplitSeq(s, ".") {
		if label == "" || len(label) > 63 {
			return false
		}
		for i := range len(label) {
			if b := label[i]; b != '-' && b != '_' && (b < '0' || b > '9') && (b < 'a' || b > 'z') {
				return false
			}
		}
	}
	return true
}

// done builds the files. A category without any name that can be enforced is
// left out: it would promise what it does not do.
func (c *collector) done() ([]Category, error) {
	var all []Category
	for _, k := range c.of {
		if len(k.keys) == 0 {
			continue
		}
		b, err := wire.BuildList(k.Name, k.keys)
		if err != nil {
			return nil, err
		}
		l, err := wire.OpenList(b)
		if err != nil {
			return nil, err
		}
		k.keys, k.Category.Names, k.File, k.Digest = nil, l.Names, b, wire.ListDigest(b)
		all = append(all, k.Category)
	}
	if len(all) == 0 {
		return nil, fmt.Errorf("cannot read the lists: there is no CATEGORY/domains in it: %w", ErrArchive)
	}
	slices.SortFunc(all, func(a, b Category) int { return strings.Compare(a.Name, b.Name) })
	return all, nil
}
