package count

import (
	"errors"
	"io"

	"borne/kiosk/pdf"
	"borne/kiosk/printjob"
	"borne/kiosk/raster"
)

// kind tells a document by its first bytes, whoever says what it is.
func kind(r io.ReaderAt, size int64) (printjob.Format, raster.Kind) {
	head := make([]byte, min(1024, size))
	if n, _ := r.ReadAt(head, 0); n < len(head) {
		return "", raster.None
	}
	k := raster.Is(head)
	if pdf.Is(head) {
		if k != raster.None || isJPEG(head) {
			return "", raster.None // a printer that looks for itself may see the other
		}
		return printjob.PDF, raster.None
	}
	if k != raster.None {
		if k == raster.URF {
			return printjob.URF, k
		}
		return printjob.PWG, k
	}
	if isJPEG(head) {
		return printjob.JPEG, raster.None
	}
	return "", raster.None
}

// examine counts the pages of a document.
func examine(r io.ReaderAt, size int64) answer {
	format, k := kind(r, size)
	var n int
	var err error
	switch format {
	case "":
		return refuse(printjob.WhyFormat)
	case printjob.PDF:
		n, err = pdf.Count(r, size, printjob.MaxPages)
	case printjob.JPEG:
		n = 1
		_, err = readJPEG(io.NewSectionReader(r, 0, size))
	default:
		n, err = raster.Count(io.NewSectionReader(r, 0, size), k, printjob.MaxPages)
	}
	switch {
	case errors.Is(err, pdf.ErrEncrypted):
		return refuse(printjob.WhyEncrypted)
	case errors.Is(err, pdf.ErrTooMany), errors.Is(err, raster.ErrTooMany):
		return refuse(printjob.WhyTooMany)
	case err != nil:
		return refuse(printjob.WhyUnreadable)
	}
	return answer{Format: format, Pages: n}
}
