package usb

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
)

// Sys is where the kernel shows its devices.
const Sys = "/sys"

// maxText bounds one of the kernel's small files; a serial number has at most 126 letters.
const maxText = 512

var (
	controllerName = regexp.MustCompile(`^usb[0-9]{1,4}$`)
	deviceName     = regexp.MustCompile(`^[0-9]{1,4}-[0-9]{1,3}(\.[0-9]{1,3}){0,6}$`)
)

// Tree is the kernel's tree of USB devices.
type Tree struct{ dir string }

// Open finds the tree below root, Sys on a real machine. ok is false on a
// machine without USB.
func Open(root string) (t Tree, ok bool) {
	t = Tree{filepath.Join(root, "bus/usb/devices")}
	_, err := os.Stat(t.dir)
	return t, err == nil
}

// Close has every controller authorize nothing by itself. It returns how many
// there are.
func (t Tree) Close() (int, error) {
	names, err := t.names(controllerName)
	for _, n := range names {
		path := filepath.Join(t.dir, n, "authorized_default")
		if s, e := text(os.Open(path)); e == nil && s == "0" {
			continue
		}
		if e := write("0")(os.OpenFile(path, os.O_WRONLY, 0)); !gone(e) {
			err = errors.Join(err, e)
		}
	}
	return len(names), err
}

// Closed counts the controllers, and those among them that authorize nothing by themselves.
func (t Tree) Closed() (all, closed int, err error) {
	names, err := t.names(controllerName)
	for _, n := range names {
		s, e := text(os.Open(filepath.Join(t.dir, n, "authorized_default")))
		if err = errors.Join(err, e); s == "0" {
			closed++
		}
	}
	return len(names), closed, err
}

// Node is a device with its folder held open: what is read and what is
// written are the same device's, however fast somebody swaps two.
type Node struct {
	Device
	dir *os.Root
}

// Devices lists what is plugged in, a hub before what hangs on it. Release
// each when done.
func (t Tree) Devices() ([]Node, error) {
	names, err := t.names(deviceName)
	var all []Node
	for _, n := range names {
		d, e := t.device(n)
		if gone(e) {
			continue // unplugged meanwhile
		}
		if e != nil {
			err = errors.Join(err, e)
			continue
		}
		all = append(all, d)
	}
	return all, err
}

// gone tells what the kernel answers about a device that is just leaving.
func gone(err error) bool { return errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENODEV) }

func (t Tree) device(port string) (Node, error) {
	dir, err := os.OpenRoot(filepath.Join(t.dir, port))
	if err != nil {
		return Node{}, fmt.Errorf("cannot read a USB device: %w", err)
	}
	n := Node{Device{Port: port}, dir}
	if err := n.read(); err != nil {
		dir.Close()
		return Node{}, err
	}
	return n, nil
}

func (n *Node) read() error {
	number, err := text(n.dir.Open("devnum"))
	if err != nil {
		return err
	}
	if n.Number, err = strconv.Atoi(number); err != nil {
		return fmt.Errorf("cannot read device %s: its number: %w", n.Port, err)
	}
	b, err := contents(maxDescriptors)(n.dir.Open("descriptors"))
	if err != nil {
		return err
	}
	if n.Said, err = ParseDescriptors(b); err != nil {
		n.Damaged = true
	}
	if n.Serial, err = text(n.dir.Open("serial")); err != nil {
		n.Serial = "" // most have none
	}
	return nil
}

// Authorize tells the kernel whether drivers may take the device.
func (n Node) Authorize(allow bool) error {
	want := "0"
	if allow {
		want = "1"
	}
	if s, err := text(n.dir.Open("authorized")); err == nil && s == want {
		return nil
	}
	err := write(want)(n.dir.OpenFile("authorized", os.O_WRONLY, 0))
	if gone(err) {
		return nil
	}
	return err
}

// Release lets the device's folder go.
func (n Node) Release() { n.dir.Close() }

// names lists the entries that match, by their numbers: a hub before what hangs on it.
func (t Tree) names(re *regexp.Regexp) ([]string, error) {
	list, err := os.ReadDir(t.dir)
	if err != nil {
		return nil, fmt.Errorf("cannot list the USB devices: %w", err)
	}
	var names []string
	for _, e := range list {
		if re.MatchString(e.Name()) {
			names = append(names, e.Name())
		}
	}
	slices.SortFunc(names, func(a, b string) int {
		if n := len(a) - len(b); n != 0 {
			return n
		}
		return strings.Compare(a, b)
	})
	return names, nil
}

func contents(most int64) func(*os.File, error) ([]byte, error) {
	return func(f *os.File, err error) ([]byte, error) {
		if err != nil {
			return nil, fmt.Errorf("cannot read a USB device: %w", err)
		}
		defer f.Close()
		b, err := io.ReadAll(io.LimitReader(f, most+1))
		if err != nil {
			return nil, fmt.Errorf("cannot read a USB device: %w", err)
		}
		return b, nil
	}
}

func text(f *os.File, err error) (string, error) {
	b, err := contents(maxText)(f, err)
	if err != nil {
		return "", err
	}
	if len(b) > maxText || bytes.IndexByte(b, 0) >= 0 {
		return "", errors.New("cannot read a USB device: no line of text")
	}
	return strings.TrimSuffix(string(b), "\n"), nil
}

func write(s string) func(*os.File, error) error {
	return func(f *os.File, err error) error {
		if err == nil {
			_, err = f.WriteString(s)
			err = errors.Join(err, f.Close())
		}
		if err != nil {
			return fmt.Errorf("cannot decide about a USB device: %w", err)
		}
		return nil
	}
}
