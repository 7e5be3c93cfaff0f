package gpio

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// Auto stands for the chip behind a Raspberry Pi's 40-pin header.
const Auto = "auto"

// headers are the labels of the chips behind a Raspberry Pi's header: Pi 5, Pi 4,
// Pi 3 and older. On each of them GPIO17 of the boards' papers is line 17.
func headers() []string { return []string{"pinctrl-rp1", "pinctrl-bcm2711", "pinctrl-bcm2835"} }

// Address says which line of which chip.
type Address struct {
	Chip string // Auto, a chip's label ("pinctrl-bcm2711") or its name ("gpiochip0")
	Line string // number ("17") or name ("GPIO17")
}

// AddressPattern is what an address looks like; the kernel's names have at most
// 31 bytes (GPIO_MAX_NAME_SIZE in linux/gpio.h).
const AddressPattern = `[A-Za-z0-9][A-Za-z0-9_.:@-]{0,30}/[A-Za-z0-9][A-Za-z0-9_.:+-]{0,30}`

// ParseAddress reads CHIP/LINE.
func ParseAddress(s string) (Address, error) {
	if !regexp.MustCompile("^" + AddressPattern + "$").MatchString(s) {
		return Address{}, fmt.Errorf("cannot read GPIO line %.80q: write CHIP/LINE, for example auto/17, pinctrl-bcm2711/17 or gpiochip0/GPIO17", s)
	}
	chip, line, _ := strings.Cut(s, "/")
	return Address{chip, line}, nil
}

// String returns CHIP/LINE.
func (a Address) String() string { return a.Chip + "/" + a.Line }

// Header returns the number of the line on a Raspberry Pi's header, whatever
// way it was written.
func (a Address) Header() (int, bool) {
	if a.Chip != Auto && !slices.Contains(headers(), a.Chip) {
		return 0, false
	}
	return headerLine(a.Line)
}

// headerLine reads 17 or GPIO17.
func headerLine(line string) (int, bool) {
	if n := strings.TrimPrefix(line, "GPIO"); regexp.MustCompile(`^(0|[1-9][0-9]?)$`).MatchString(n) {
		i, err := strconv.Atoi(n)
		return i, err == nil
	}
	return 0, false
}

// Pin is the same for two addresses of one line, as far as can be told without
// the hardware.
func (a Address) Pin() string {
	if n, ok := a.Header(); ok {
		return fmt.Sprintf("header/GPIO%d", n)
	}
	line := a.Line
	if n, err := strconv.Atoi(line); err == nil {
		line = strconv.Itoa(n) // 017 is 17
	}
	return a.Chip + "/" + line
}
