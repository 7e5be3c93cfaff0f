package api

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"strconv"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"borne/controller/store"
)

// ErrRefused is wrapped by Orders when a command makes no sense now; its text
// is for the log, the console shows the problem's own sentence.
var ErrRefused = errors.New("refused")

// problem is an error that people read (RFC 9457), in French.
type problem struct {
	Status int
	Detail string
	Fields []field
	header http.Header
}

// field is what is wrong with one part of the request.
type field struct {
	Location string // body.session.minutes
	Message  string
}

func (p *problem) Error() string             { return p.Detail }
func (p *problem) GetStatus() int            { return p.Status }
func (p *problem) GetHeaders() http.Header   { return p.header }
func (p *problem) ContentType(string) string { return "application/problem+json" }

// MarshalJSON writes the same document as huma's own errors.
func (p *problem) MarshalJSON() ([]byte, error) { return json.Marshal(p.model()) }

func (p *problem) model() *huma.ErrorModel {
	m := &huma.ErrorModel{Status: p.Status, Title: titles(p.Status), Detail: p.Detail}
	for _, f := range p.Fields {
		m.Errors = append(m.Errors, &huma.ErrorDetail{Location: f.Location, Message: f.Message})
	}
	return m
}

func newProblem(status int, detail string, fields ...field) *problem {
	return &problem{Status: status, Detail: detail, Fields: fields}
}

func errLogin() *problem {
	return newProblem(http.StatusUnauthorized, "Vous n’êtes pas connecté, ou votre connexion a expiré. Demandez un nouveau lien de connexion.")
}

func errForbidden() *problem {
	return newProblem(http.StatusForbidden, "Votre rôle ne permet pas cette action ici.")
}

func errNotFound() *problem {
	return newProblem(http.StatusNotFound, "Cet élément n’existe pas, ou plus.")
}

func errInternal() *problem {
	return newProblem(http.StatusInternalServerError, "Le serveur a rencontré une erreur. Rien n’a été modifié ; réessayez dans un instant.")
}

func errCross() *problem {
	return newProblem(http.StatusForbidden, "Cette demande ne vient pas de la console : elle a été refusée.")
}

// fail turns any error of a handler into a problem, and logs what people are
// not told.
func (a *API) fail(op string, err error) error {
	var p *problem
	switch {
	case err == nil:
		return nil
	case errors.As(err, &p):
		return p
	case errors.Is(err, store.ErrNotFound):
		return errNotFound()
	case errors.Is(err, store.ErrFull):
		a.Log.Error("request failed", "op", op, "error", err)
		return newProblem(http.StatusInsufficientStorage, "Le disque du serveur est plein : rien n’a été enregistré. Prévenez l’équipe du Département.")
	}
	a.Log.Error("request failed", "op", op, "error", err)
	return errInternal()
}

// french rewrites the library's own errors, which are in English and repeat
// what was sent, secrets included.
func french(_ huma.Context, _ string, v any) (any, error) {
	m, ok := v.(*huma.ErrorModel)
	if !ok {
		return v, nil
	}
	out := *m
	out.Title = titles(m.Status)
	out.Detail = frenchDetail(m)
	out.Errors = nil
	for _, e := range m.Errors {
		if m.Status >= 500 {
			break // internals are for the log
		}
		out.Errors = append(out.Errors, &huma.ErrorDetail{Location: e.Location, Message: frenchMessage(e.Message)})
	}
	return &out, nil
}

func frenchDetail(m *huma.ErrorModel) string {
	switch {
	case m.Status >= 500:
		return errInternal().Detail
	case m.Detail == "validation failed":
		return "Certains champs ne conviennent pas."
	case m.Detail == "request body is required":
		return "La demande est vide."
	case m.Detail == "request body read timeout":
		return "La demande a mis trop de temps à arriver."
	case strings.HasPrefix(m.Detail, "request body is too large"):
		limit := maxBody
		if found := limitRE.FindStringSubmatch(m.Detail); found != nil {
			limit, _ = strconv.Atoi(found[1]) // digits: a number too large for an int leaves 0
		}
		return fmt.Sprintf("La demande est trop longue : %d Kio au plus.", limit>>10)
	}
	return "La demande ne peut pas être traitée."
}

var limitRE = regexp.MustCompile(`limit=(\d{1,12}) bytes`)

func titles(status int) string {
	switch status {
	case http.StatusBadRequest:
		return "Demande illisible"
	case http.StatusUnauthorized:
		return "Non connecté"
	case http.StatusForbidden:
		return "Refusé"
	case http.StatusNotFound, http.StatusMethodNotAllowed, http.StatusGone:
		return "Introuvable"
	case http.StatusConflict, http.StatusPreconditionFailed, http.StatusPreconditionRequired:
		return "Modifié entre-temps"
	case http.StatusUnprocessableEntity:
		return "Champs à corriger"
	case http.StatusTooManyRequests:
		return "Trop d’essais"
	case http.StatusRequestEntityTooLarge:
		return "Demande trop longue"
	case http.StatusUnsupportedMediaType, http.StatusNotAcceptable:
		return "Format inconnu"
	}
	return "Erreur"
}

type phrase struct {
	re *regexp.Regexp
	fr string
}

// phrases are the validator's messages (huma, package validation).
var phrases = []phrase{
	{regexp.MustCompile(`^unexpected property$`), "ce champ est inconnu"},
	{regexp.MustCompile(`^property "([\w.-]+)" is unknown$`), "le champ « $1 » est inconnu"},
	{regexp.MustCompile(`^property "([\w.-]+)" is given twice$`), "le champ « $1 » est donné deux fois"},
	{regexp.MustCompile(`^property .* is (?:unknown|given twice)$`), "un champ est inconnu ou donné deux fois"},
	{regexp.MustCompile(`^the body is nested too deeply$`), "la demande est imbriquée trop profondément"},
	{regexp.MustCompile(`^the body is no UTF-8$|^the body goes on behind its end$`), "la demande n’est pas du JSON valable"},
	{regexp.MustCompile(`^invisible character (U\+[0-9A-F]+) in (\S+)$`), "le champ « $2 » contient un caractère invisible ou un retour à la ligne ($1) : retapez-le"},
	{regexp.MustCompile(`^expected required property (\S+) to be present$`), "le champ « $1 » manque"},
	{regexp.MustCompile(`^required \S+ parameter is missing$`), "ce paramètre manque"},
	{regexp.MustCompile(`^expected value to be one of "(.*)"$`), "choisissez parmi : $1"},
	{regexp.MustCompile(`^expected number >= (\S+)$`), "au moins $1"},
	{regexp.MustCompile(`^expected number <= (\S+)$`), "au plus $1"},
	{regexp.MustCompile(`^expected length >= (\d+)$`), "au moins $1 caractères"},
	{regexp.MustCompile(`^expected length <= (\d+)$`), "au plus $1 caractères"},
	{regexp.MustCompile(`^expected array length >= (\d+)$`), "au moins $1 éléments"},
	{regexp.MustCompile(`^expected array length <= (\d+)$`), "au plus $1 éléments"},
	{regexp.MustCompile(`^expected (?:number|integer)|^invalid (?:integer|float)`), "un nombre est attendu"},
	{regexp.MustCompile(`^expected boolean$`), "oui ou non est attendu"},
	{regexp.MustCompile(`^expected string$`), "un texte est attendu"},
	{regexp.MustCompile(`^expected (?:array|object)`), "une autre forme est attendue"},
	{regexp.MustCompile(`^expected string to be base64 encoded$`), "du base64 est attendu"},
	{regexp.MustCompile(`^unknown content type`), "le format doit être application/json"},
}

func frenchMessage(m string) string {
	for _, p := range phrases {
		if loc := p.re.FindStringSubmatchIndex(m); loc != nil {
			return string(p.re.ExpandString(nil, p.fr, m, loc))
		}
	}
	return "cette valeur ne convient pas"
}

func writeProblem(w http.ResponseWriter, p *problem) {
	b, err := json.Marshal(p.model())
	if err != nil { // strings and numbers only: it cannot fail
		http.Error(w, p.Detail, p.Status)
		return
	}
	for name, values := range p.header {
		w.Header()[name] = values
	}
	w.Header().Set("Content-Type", "application/problem+json")
	w.WriteHeader(p.Status)
	_, _ = w.Write(b) // the client may be gone
}

// errKey is a key that opens nothing.
func errKey() *problem {
	return &problem{Status: http.StatusUnauthorized, Detail: "Cette clé n’ouvre rien : elle est inconnue, révoquée ou expirée, ou la personne qui l’a créée n’est plus administrateur.",
		header: http.Header{"Www-Authenticate": {`Bearer realm="borne"`}}}
}

// errForPeople is what a program may not do, whatever its role.
func errForPeople() *problem {
	return newProblem(http.StatusForbidden, "Une clé de programme ne permet pas cette action : elle se fait dans la console, par une personne connectée.")
}
