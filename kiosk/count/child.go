package count

import (
	"fmt"
	"io"
	"os"
	"runtime/debug"
	"strconv"
	"syscall"
	"time"

	"borne/kiosk/confine"
	"borne/kiosk/ppm"
)

// What a child may take. Beside what it writes to come the program's own pages
// and, for poppler, its libraries: together they stay below 200 MB. Go's runtime
// maps some 70 MB for its tables that it hardly touches, and they count.
const (
	childMemory = 180 << 20
	childHeap   = 80 << 20 // the collector's aim; it may pass it, the kernel's limit it may not
	childCPU    = 10 * time.Second
	drawCPU     = 4 * time.Second // a picture may be missing, and a document waits behind it
	childFiles  = 16
)

// pdftoppm draws the pages of a PDF; it comes with Debian's poppler-utils.
const pdftoppm = "/usr/bin/pdftoppm"

// What a child does, its first argument.
const (
	doCount   = "count"
	doPicture = "picture" // of a picture
	doPDF     = "pdf"     // a page of a PDF: page and longest side follow
)

// IsChild tells whether a program with these arguments is a child of the counter.
func IsChild(args []string) bool { return len(args) > 1 && args[1] == ChildRole }

// ChildMain is the main function of a child: the document is its standard
// input, what it finds goes to its standard output. It returns the exit code.
func ChildMain(args []string, stderr io.Writer) int {
	if err := child(args[2:]); err != nil {
		fmt.Fprintln(stderr, err)
		return 1
	}
	return 0
}

func child(args []string) error {
	if len(args) < 1 {
		return fmt.Errorf("cannot be a child of the counter: only the counter starts this role")
	}
	var n [2]int
	for i := range min(len(args)-1, len(n)) {
		var err error
		if n[i], err = strconv.Atoi(args[1+i]); err != nil {
			return fmt.Errorf("cannot be a child of the counter: %w", err)
		}
	}
	limits := confine.Limits{Memory: childMemory, CPU: childCPU, Files: childFiles}
	if args[0] != doCount {
		limits.CPU = drawCPU
	}
	if args[0] == doPDF {
		if err := confine.Reader(limits); err != nil {
			return err
		}
		page, side := strconv.Itoa(n[0]), strconv.Itoa(n[1])
		argv := []string{pdftoppm, "-q", "-f", page, "-l", page, "-scale-to", side, "-"}
		return fmt.Errorf("cannot start %s: %w", pdftoppm, syscall.Exec(pdftoppm, argv, []string{}))
	}
	debug.SetMemoryLimit(childHeap)
	if err := confine.Alone(limits); err != nil {
		return err
	}
	return look(args[0], n[0], n[1])
}

// look reads the document, which is nobody's friend.
func look(do string, width, height int) error {
	doc := os.Stdin
	info, err := doc.Stat()
	if err != nil {
		return fmt.Errorf("cannot read the document: %w", err)
	}
	if do == doPicture {
		m, err := picture(doc, info.Size(), width, height)
		if err != nil {
			return err
		}
		return m.Encode(os.Stdout)
	}
	b, err := encode(examine(doc, info.Size()))
	if err != nil {
		return err
	}
	_, err = os.Stdout.Write(b)
	return err
}

// pictureArgs says how to draw a page of a document of that kind.
func pictureArgs(isPDF bool, r request) []string {
	if isPDF {
		return []string{doPDF, strconv.Itoa(r.Page), strconv.Itoa(side(r))}
	}
	return []string{doPicture, strconv.Itoa(r.Width), strconv.Itoa(r.Height)}
}

// pictureSize is the most bytes that a picture takes.
func pictureSize(r request) int64 { return int64(3*side(r)*side(r)) + 64 }

// readPicture reads what a child drew.
func readPicture(rd io.Reader, r request) (*ppm.Image, error) {
	m, err := ppm.Decode(rd, side(r), side(r))
	if err != nil {
		return nil, err
	}
	return m.Fit(r.Width, r.Height), nil
}
