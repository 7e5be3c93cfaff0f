package store

import (
	"encoding/json"
	"fmt"
	"time"
)

// NoticeText is one version of the charter and of what people are told of their
// data, as a layer had it from then on. Which one a session began under is told by
// its policy's version. Meta.ID is NoticeID.
type NoticeText struct {
	Layer   string          `json:"layer" inventory:"global, or the site whose text it is;none-personal;life"`
	Number  int             `json:"number" inventory:"of the layer's texts;none-personal;life"`
	At      time.Time       `json:"at" inventory:"when it came into force;none-personal;life"`
	Version uint64          `json:"version" inventory:"of the policy that brought it;none-personal;life"`
	By      string          `json:"by" inventory:"user who published it, or the controller;public-task;audit"`
	Text    json.RawMessage `json:"text,omitempty" inventory:"the text, empty when the site took that of the Département again;none-personal;life"`
}

// MaxNotice is past every number.
const MaxNotice = 999999

// NoticeID is the id of a layer's text: they sort by number.
func NoticeID(layer string, number int) string { return fmt.Sprintf("%s/%06d", layer, number) }

func (NoticeText) Table() Kind      { return KindNotice }
func (NoticeText) Indexes() []Index { return nil }

// Kept is for how many days each class is kept now, as people are told.
type Kept struct {
	Usage     int `json:"usage"`
	Security  int `json:"security"`
	Account   int `json:"account"`
	Audit     int `json:"audit"`
	Technical int `json:"technical"`
}
