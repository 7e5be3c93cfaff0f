package retention

import (
	"encoding/json"
	"strings"
	"testing"
)

func TestNamesOfAgreementsThatAreOverAreForgotten(t *testing.T) {
	doc := json.RawMessage(`{"session":{"minutes":30},"hours":{"always":false,"guarded":true,"agreements":[` +
		`{"from":"2024-01-01","to":"2024-06-30","by":"Mme Durand","agreed":"2023-12-01","key":"M. Petit","contact":"loge@example.org","suspended":false},` +
		`{"from":"2026-01-01","to":"2026-06-30","by":"Mme Roux","agreed":"2025-12-01","key":"M. Blanc","suspended":false}]}}`)
	got, n, err := forgotten(doc, "2025-07-01")
	if err != nil || n != 1 {
		t.Fatalf("%d, %v", n, err)
	}
	for _, s := range []string{"Durand", "Petit", "loge@"} {
		if strings.Contains(string(got), s) {
			t.Errorf("%q is kept", s)
		}
	}
	for _, s := range []string{`"minutes":30`, `"guarded":true`, `"to":"2024-06-30"`, `"agreed":"2023-12-01"`, "Mme Roux", "M. Blanc"} {
		if !strings.Contains(string(got), s) {
			t.Errorf("%q is lost", s)
		}
	}
	if again, n, err := forgotten(got, "2025-07-01"); err != nil || n != 0 || string(again) != string(got) {
		t.Errorf("a second time: %d, %v", n, err)
	}
	for _, other := range []string{`{}`, `{"session":{}}`, `{"hours":{"always":true}}`} {
		if got, n, err := forgotten(json.RawMessage(other), "2025-07-01"); err != nil || n != 0 || string(got) != other {
			t.Errorf("%s: %s, %d, %v", other, got, n, err)
		}
	}
}
