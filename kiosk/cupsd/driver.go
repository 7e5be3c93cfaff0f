package cupsd

import (
	"bytes"
	"fmt"
	"io"
	"maps"
	"os"
	"regexp"
	"slices"
)

const maxDriver = 4 << 20

var word = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,39}$`)

// driver reads a PPD and sets the choices that its printer is to begin with. A4
// is the paper, if it has that.
func driver(path string, options map[string]string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("cannot read the printer's driver: %w; name its PPD, or install cups-filters for %s", err, DefaultDriver)
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, maxDriver+1))
	if err != nil {
		return nil, fmt.Errorf("cannot read the printer's driver: %w", err)
	}
	if len(b) > maxDriver || !bytes.HasPrefix(b, []byte("*PPD-Adobe:")) {
		return nil, fmt.Errorf("cannot use %s: it is no PPD (one that ends in .gz must be unpacked)", path)
	}
	for _, o := range []string{"PageSize", "PageRegion", "ImageableArea", "PaperDimension"} {
		if set, ok := choose(b, o, "A4"); ok {
			b = set
		}
	}
	for _, o := range slices.Sorted(maps.Keys(options)) {
		set, ok := choose(b, o, options[o])
		if !ok {
			return nil, fmt.Errorf("cannot set %.40q to %.40q: the driver %s has no such choice; look for the lines that begin with *%.40s", o, options[o], path, o)
		}
		b = set
	}
	return b, nil
}

// IsChoice tells whether these may be names of an option and of a choice.
func IsChoice(option, choice string) bool {
	return word.MatchString(option) && word.MatchString(choice)
}

// choose sets the default of an option, if the PPD has both the option and that
// choice of it (PPD 4.3 §5.2).
func choose(ppd []byte, option, choice string) ([]byte, bool) {
	if !IsChoice(option, choice) {
		return nil, false
	}
	has := regexp.MustCompile(`(?m)^\*` + regexp.QuoteMeta(option) + ` ` + regexp.QuoteMeta(choice) + `[/:]`)
	is := regexp.MustCompile(`(?m)^(\*Default` + regexp.QuoteMeta(option) + `:[ \t]*)[^ \t\r\n]+`)
	if !has.Match(ppd) || !is.Match(ppd) {
		return nil, false
	}
	return is.ReplaceAll(ppd, []byte("${1}"+choice)), true
}
