package bolt

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"os"

	"golang.org/x/sys/unix"
)

// The journal is one preallocated file, written from its start again each time
// everything in it is applied. A frame is
//
//	magic(4) length(4) position(8) previous frame's sum(4) sum(4) payload
//
// in big endian; the sum is CRC-32C over all before it and the payload. A frame
// belongs to the log when its position and its previous sum follow from the
// frame before: remains of an earlier round or of a failed write do not.
type journal struct {
	f      *os.File
	size   int64
	off    int64  // where the next frame goes
	pos    uint64 // of the last frame
	sum    uint32 // of the last frame
	broken error  // a sync failed: what is on the disk is unknown
}

const (
	frameMagic  = 0xB0B7E1A6
	frameHeader = 24
	maxPayload  = 4 << 20
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// openJournal opens or makes the file and returns the payloads of every frame
// of the log. damaged is how many whole frames lie behind a damaged one: they
// had been acknowledged, and their terminals send them again.
//
// applied is the last position that the database holds.
func openJournal(path string, size int64, applied uint64) (j *journal, found []payload, damaged int, err error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, nil, 0, fmt.Errorf("cannot open the journal: %w", full(err))
	}
	defer func() {
		if err != nil {
			f.Close()
		}
	}()
	st, err := f.Stat()
	if err != nil {
		return nil, nil, 0, fmt.Errorf("cannot read the journal: %w", err)
	}
	size = max(size, st.Size())
	// Preallocated, so that a full disk never stops what terminals report.
	if err := unix.Fallocate(int(f.Fd()), 0, 0, size); err != nil && !errors.Is(err, unix.EOPNOTSUPP) {
		return nil, nil, 0, fmt.Errorf("cannot make the journal of %d bytes: %w", size, full(err))
	}
	if err := f.Sync(); err != nil {
		return nil, nil, 0, fmt.Errorf("cannot make the journal: %w", full(err))
	}
	data, err := io.ReadAll(io.NewSectionReader(f, 0, size))
	if err != nil {
		return nil, nil, 0, fmt.Errorf("cannot read the journal: %w", err)
	}
	found, end := readFrames(data)
	j = &journal{f: f, size: size, off: int64(end)}
	if n := len(found); n > 0 {
		j.pos, j.sum = found[n-1].pos, found[n-1].sum
	}
	if damaged = countAfter(data[end:], max(j.pos, applied)); damaged > 0 {
		clear(data[end:]) // told once, and never mistaken for part of the log
		if _, err := f.WriteAt(data[end:], int64(end)); err != nil {
			return nil, nil, 0, fmt.Errorf("cannot mend the journal: %w", err)
		}
	}
	return j, found, damaged, nil
}

type payload struct {
	pos  uint64
	sum  uint32
	body []byte
}

// readFrames reads the log's frames and where it ends. It is total.
func readFrames(data []byte) (found []payload, end int) {
	for {
		p, prev, ok := readFrame(data[end:])
		if !ok {
			return found, end
		}
		if n := len(found); n > 0 && (p.pos != found[n-1].pos+1 || prev != found[n-1].sum) {
			return found, end
		}
		found = append(found, p)
		end += frameHeader + len(p.body)
	}
}

func readFrame(b []byte) (p payload, prev uint32, ok bool) {
	if len(b) < frameHeader || binary.BigEndian.Uint32(b) != frameMagic {
		return p, 0, false
	}
	n := binary.BigEndian.Uint32(b[4:])
	if n > maxPayload || int(n) > len(b)-frameHeader {
		return p, 0, false
	}
	p = payload{pos: binary.BigEndian.Uint64(b[8:]), sum: binary.BigEndian.Uint32(b[20:]), body: b[frameHeader : frameHeader+int(n)]}
	if p.sum != frameSum(b[:20], p.body) {
		return p, 0, false
	}
	return p, binary.BigEndian.Uint32(b[16:]), true
}

func frameSum(header, body []byte) uint32 {
	return crc32.Update(crc32.Checksum(header, castagnoli), castagnoli, body)
}

// countAfter counts whole frames of positions after pos: they can only lie
// there when a frame before them was damaged.
func countAfter(data []byte, pos uint64) (n int) {
	for i := 0; i+frameHeader <= len(data); i++ {
		if data[i] != frameMagic>>24 {
			continue
		}
		if p, _, ok := readFrame(data[i:]); ok && p.pos > pos {
			n++
			i += frameHeader + len(p.body) - 1
		}
	}
	return n
}

// appendFrame adds a frame to buf, as the next one after pos and sum.
func appendFrame(buf []byte, pos uint64, prev uint32, body []byte) ([]byte, uint32) {
	start := len(buf)
	buf = binary.BigEndian.AppendUint32(buf, frameMagic)
	buf = binary.BigEndian.AppendUint32(buf, uint32(len(body)))
	buf = binary.BigEndian.AppendUint64(buf, pos)
	buf = binary.BigEndian.AppendUint32(buf, prev)
	sum := frameSum(buf[start:], body)
	buf = binary.BigEndian.AppendUint32(buf, sum)
	return append(buf, body...), sum
}

// room tells whether n more bytes fit behind the last frame.
func (j *journal) room(n int) bool { return j.off+int64(n) <= j.size }

// rewind starts from the file's beginning: everything in it is applied.
func (j *journal) rewind() { j.off = 0 }

// write makes the frames in buf durable.
func (j *journal) write(buf []byte, pos uint64, sum uint32) error {
	if j.broken != nil {
		return j.broken
	}
	if _, err := j.f.WriteAt(buf, j.off); err != nil {
		return fmt.Errorf("cannot write the journal: %w", full(err))
	}
	if err := unix.Fdatasync(int(j.f.Fd())); err != nil {
		j.broken = fmt.Errorf("cannot sync the journal: %w; restart the controller, and look at the disk", err)
		return j.broken
	}
	j.off += int64(len(buf))
	j.pos, j.sum = pos, sum
	return nil
}

func (j *journal) close() error { return j.f.Close() }
