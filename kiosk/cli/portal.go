package cli

import (
	"bytes"
	"fmt"
	"html/template"

	"borne/controller/policy"
)

// portalHTML is the page that a session opens on: one large link a service, no
// script, nothing from elsewhere.
const portalHTML = `<!doctype html>
<html lang="{{.Lang}}"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>{{.Title}}</title><style>
body{margin:0;background:#f4f6f5;color:#16252b;font:22px/1.4 "Atkinson Hyperlegible","DejaVu Sans",sans-serif}
main{max-width:1180px;margin:0 auto;padding:32px 28px 48px}
h1{font-size:38px;margin:0 0 24px}
ul{list-style:none;margin:0;padding:0;display:grid;gap:18px;grid-template-columns:repeat(auto-fill,minmax(320px,1fr))}
a{display:block;min-height:84px;padding:20px 24px;border:3px solid #1d5a4c;border-radius:16px;background:#fff;color:inherit;text-decoration:none}
a:hover,a:focus{background:#e3f1ec;outline:4px solid #f0b429;outline-offset:2px}
b{display:block;font-size:26px;color:#134338}
</style></head><body><main><h1>{{.Title}}</h1><ul>{{range .Tiles}}<li><a href="{{.URL}}"><b>{{.Name}}</b>{{.Hint}}</a></li>{{end}}</ul></main></body></html>
`

// portalPage renders the policy's portal. Its words come escaped, and an
// address that is not of the web becomes harmless.
func portalPage(p policy.Portal, lang string) ([]byte, error) {
	t, err := template.New("portal").Parse(portalHTML)
	if err != nil {
		return nil, fmt.Errorf("cannot make the portal: %w", err)
	}
	var b bytes.Buffer
	err = t.Execute(&b, struct {
		policy.Portal
		Lang string
	}{p, lang})
	if err != nil {
		return nil, fmt.Errorf("cannot make the portal: %w", err)
	}
	return b.Bytes(), nil
}
