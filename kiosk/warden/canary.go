package warden

// Canaries: one random token a sandbox, with the place's name behind it. What
// is looked for afterwards is the token.
type canaries struct{ token string }

// Places of canaries.
const (
	canaryInFile      = "file"
	canaryInClipboard = "clipboard"
	canaryInEnv       = "env"
	canaryInPrint     = "print"
	canaryInWeb       = "web" // planted by the agent, with a marker of its own
)

func newCanaries() canaries { return canaries{token()} }

func (c canaries) value(place string) string { return c.token + "-" + place }
