package api

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"net/http"
	"strconv"
	"strings"

	"github.com/danielgtaylor/huma/v2"
)

// version says what a route that changes something asks of If-Match. One of both is
// said.
type version struct {
	// Of is what has versions, as the sentence names it: the change must name the one
	// that was read (428 without, RFC 6585 section 3), and is refused when somebody
	// else has changed it since (412).
	Of string
	// Last is why whoever comes last is right.
	Last string
}

// versions are those of every PUT and PATCH, and of whatever else names a version. A
// change that is not here, and asks with If-Match, is refused: it would think itself
// safe.
func versions() map[string]version {
	const (
		rules  = "ces règles"
		hours  = "ces horaires"
		figure = "ces chiffres"
		acc    = "ce compte"
		group  = "ce groupe"
	)
	secret := "nobody reads a PIN back: whoever sets one knows that it replaces another"
	choice := "one choice, which the page shows to whoever makes it"
	file := "a newer file of the same source replaces the one before, whatever that was"
	return map[string]version{
		opPutAll: {Of: rules}, opPutGroupPolicy: {Of: rules}, opPutSite: {Of: rules}, opPutSpace: {Of: rules}, opPutTerminal: {Of: rules},
		opUndoAllPolicy: {Of: rules}, opUndoGroup: {Of: rules}, opUndoSitePolicy: {Of: rules}, opUndoSpacePolicy: {Of: rules}, opUndoTerminal: {Of: rules},
		opPutSiteHours: {Of: hours}, opPutSpaceHours: {Of: hours}, opUndoSite: {Of: hours}, opUndoSpace: {Of: hours},
		opPutFigures: {Of: figure},
		opPutAccount: {Of: acc}, opDropAccount: {Of: acc},
		opPutGroup: {Of: group}, opDropGroup: {Of: group},
		opBadgeRights: {Of: "ce badge"},
		opPutHook:     {Of: "ce système"},
		opPutSiteCard: {Of: "ce lieu"}, opPutSpaceCard: {Of: "cet espace"},

		opNamePasskey: {Last: "one word, that only its own person changes"},
		opPutAlerts:   {Last: "only their own person changes them"},
		opTakeMatter:  {Last: "one choice, and whoever takes a matter on says so to the others"},
		opPhone:       {Last: "one number, which whoever sets it has before their eyes"},
		opPlaceSite:   {Last: "one point, which whoever sets it has before their eyes"},
		opCloseSite:   {Last: choice}, opCloseSpace: {Last: choice},
		opPlaceTerminal: {Last: "a name and a space, which whoever sets them has before their eyes"},
		opTraffic:       {Last: "a decision with its date is written down beside those before it"},
		opPutCalendar:   {Last: file}, opPutPlaces: {Last: file},
		opPutSitePIN: {Last: secret}, opPutSpacePIN: {Last: secret}, opPutTerminalPIN: {Last: secret},
	}
}

// Versioned tells whether a route demands If-Match.
func Versioned(op string) bool { return versions()[op].Of != "" }

// matched is what a request named as read, and what it is a version of.
type matched struct{ of, tag string }

type matchKey struct{}

// versioned demands If-Match where a change needs it, and refuses it where nothing
// would compare it: its condition is then false (RFC 9110 section 13.1.1). The
// comparison itself is the handler's, in its transaction.
func versioned(op string) func(huma.Context, func(huma.Context)) {
	v := versions()[op]
	return func(hc huma.Context, next func(huma.Context)) {
		given := hc.Header("If-Match")
		var p *problem
		switch {
		case hc.Method() == http.MethodGet || hc.Method() == http.MethodHead:
		case v.Of == "" && given != "":
			p = newProblem(http.StatusPreconditionFailed, "Ici, rien ne se compare : la dernière demande l’emporte. Envoyez-la sans « If-Match » si c’est bien ce que vous voulez.", field{"header.If-Match", "à ne pas envoyer ici"})
		case v.Of != "" && (given == "" || strings.TrimSpace(given) == "*"):
			p = newProblem(http.StatusPreconditionRequired, "La demande ne dit pas quelle version elle change : "+v.Of+". Lisez-la d’abord, puis redonnez son « ETag » dans « If-Match ».", field{"header.If-Match", "ce paramètre manque"})
		}
		if p != nil {
			writeTo(hc, p)
			return
		}
		tag, _, _ := strings.Cut(opaque(given), ".")
		next(huma.WithValue(hc, matchKey{}, matched{v.Of, tag}))
	}
}

// matches compares the version that is there with the one that was read.
func matches(ctx context.Context, tag string) error {
	if m, _ := ctx.Value(matchKey{}).(matched); m.tag != tag {
		return errStale(ctx)
	}
	return nil
}

// revOf is the revision that was read, of what has numbers.
func revOf(ctx context.Context) (uint64, error) {
	m, _ := ctx.Value(matchKey{}).(matched)
	rev, err := strconv.ParseUint(m.tag, 10, 64)
	if err != nil {
		return 0, errStale(ctx)
	}
	return rev, nil
}

func errStale(ctx context.Context) *problem {
	m, _ := ctx.Value(matchKey{}).(matched)
	return staleOf(m.of)
}

func staleOf(what string) *problem {
	if what == "" {
		what = "cela"
	}
	return newProblem(http.StatusPreconditionFailed, "Quelqu’un a changé "+what+" entre-temps : rien de votre demande n’a été enregistré. Regardez la version d’à présent, puis refaites votre changement.")
}

func etag(rev uint64) string { return strconv.Quote(strconv.FormatUint(rev, 10)) }

// tagOf is the version of what may be changed in something that changes by itself
// too: its row's revision would tell of both.
func tagOf(v any) string {
	b, err := json.Marshal(v)
	if err != nil { // texts and numbers only: it cannot fail
		return ""
	}
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:8])
}
