package store

import "time"

// Hook is an address that is told of what is to be seen to. What its posts are
// signed with is derived from the controller's key, the hook's id and Turn: it is
// kept nowhere. Meta.ID is a random id.
type Hook struct {
	Name    string    `json:"name" inventory:"name of a system that is told of what is to be seen to;none-personal;life"`
	Address string    `json:"address" inventory:"address of a system that is told;none-personal;life"`
	On      bool      `json:"on" inventory:"whether it is told;none-personal;life"`
	Level   string    `json:"level" inventory:"the least urgent that it is told of;none-personal;life"`
	Sites   []string  `json:"sites,omitempty" inventory:"of which sites it is told, empty for all;none-personal;life"`
	Night   bool      `json:"night,omitempty" inventory:"urgent ones at any hour;none-personal;life"`
	Turn    int       `json:"turn" inventory:"how often its signing key was changed;none-personal;life"`
	By      string    `json:"by" inventory:"user who set it;public-task;life"`
	Changed time.Time `json:"changed" inventory:"when it changed last;none-personal;life"`
	Sent    time.Time `json:"sent,omitzero" inventory:"when it took a post last;none-personal;life"`
	Failed  time.Time `json:"failed,omitzero" inventory:"when it refused one last;none-personal;life"`
	Error   string    `json:"error,omitempty" inventory:"why it refused;none-personal;life"`
}

// HookPost is what waits to be sent to a hook. Meta.ID begins with the time, so
// that posts leave in their order.
type HookPost struct {
	Hook   string    `json:"hook" inventory:"which system it is for;none-personal;minutes"`
	Body   []byte    `json:"body" inventory:"what it is told;none-personal;minutes"`
	Test   bool      `json:"test,omitempty" inventory:"somebody tries the address;none-personal;minutes"`
	Queued time.Time `json:"queued" inventory:"since when it waits;none-personal;minutes"`
	Tries  int       `json:"tries,omitempty" inventory:"attempts that failed;none-personal;minutes"`
	Next   time.Time `json:"next,omitzero" inventory:"when it is tried again;none-personal;minutes"`
}

func (Hook) Table() Kind      { return KindHook }
func (Hook) Indexes() []Index { return nil }
func (HookPost) Table() Kind  { return KindHookPost }

// Indexes: hook.
func (p HookPost) Indexes() []Index { return []Index{{"hook", p.Hook}} }
