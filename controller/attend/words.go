package attend

import (
	"cmp"

	"borne/controller/store"
	"borne/ui/catalogues"
)

// Say is what is wrong, in a sentence.
func Say(m store.Matter, lang string) string {
	if key := "console.attend.say." + m.Code; catalogues.Has(key) {
		about := m.About
		if device := "console.device." + about; m.Code == DeviceLost && catalogues.Has(device) {
			about = catalogues.Text(lang, device, nil)
		}
		return catalogues.Text(lang, key, catalogues.Args{"count": m.Count, "about": about})
	}
	key := "reason." + cmp.Or(m.Why, m.Code)
	if !catalogues.Has(key) {
		key = "reason." + m.Code
	}
	if !catalogues.Has(key) {
		key = "reason.broken"
	}
	return catalogues.Text(lang, key, nil)
}

// Fix is what to do about it.
func Fix(m store.Matter, lang string) string {
	return catalogues.Text(lang, "console.attend.fix."+m.Code, nil)
}
