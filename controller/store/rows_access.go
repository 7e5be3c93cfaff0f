package store

import "time"

// SiteGroup is a group of sites: a territoire, the collèges that open in the
// evening. People hold their role on it, and rules are set for it, between those
// of the Département and those of a site. Meta.ID is its id.
type SiteGroup struct {
	Name    string    `json:"name" inventory:"what a group of sites is called;none-personal;life"`
	Sites   []string  `json:"sites" inventory:"sites of the group;none-personal;life"`
	Created time.Time `json:"created" inventory:"when the group was made;none-personal;life"`
}

func (SiteGroup) Table() Kind { return KindSiteGroup }

// Indexes: site, for each of its sites.
func (g SiteGroup) Indexes() []Index {
	var ix []Index
	for _, s := range g.Sites {
		ix = append(ix, Index{"site", s})
	}
	return ix
}

// Token is a key with which a program uses the API. Meta.ID is the part of it
// that names it.
type Token struct {
	Name    string    `json:"name" inventory:"what the program is, as its maker wrote;public-task;account"`
	Digest  []byte    `json:"digest" inventory:"digest of the key, which is kept nowhere;none-personal;account"`
	By      string    `json:"by" inventory:"who made the key, and answers for it;public-task;account"`
	Role    string    `json:"role" inventory:"what the program may do;none-personal;account"`
	Sites   []string  `json:"sites,omitempty" inventory:"sites where the program may do it;none-personal;account"`
	Groups  []string  `json:"groups,omitempty" inventory:"groups of sites where the program may do it;none-personal;account"`
	Created time.Time `json:"created" inventory:"when the key was made;public-task;account"`
	Expires time.Time `json:"expires" inventory:"when the key ends, a year later at most;none-personal;account"`
	Used    time.Time `json:"used,omitzero" inventory:"when the key was last used, to the hour;none-personal;account"`
	Revoked time.Time `json:"revoked,omitzero" inventory:"when the key was revoked;public-task;account"`
}

func (Token) Table() Kind { return KindToken }

// Indexes: by.
func (t Token) Indexes() []Index { return []Index{{"by", t.By}} }

// Consent is what the head of an establishment is asked about one agreement, and
// the one link that answers. Meta.ID is the agreement's id.
type Consent struct {
	Digest   string    `json:"digest,omitempty" inventory:"digest of the link that answers, which is kept nowhere;none-personal;account"`
	Until    string    `json:"until" inventory:"last day of the opening that is asked about;none-personal;account"`
	Asked    time.Time `json:"asked" inventory:"when the head was asked;public-task;account"`
	Expires  time.Time `json:"expires" inventory:"when the link ends;none-personal;account"`
	Reminded time.Time `json:"reminded,omitzero" inventory:"when the head was reminded, once;public-task;account"`
	Mails    int       `json:"mails" inventory:"how many messages left about it;none-personal;account"`
}

func (Consent) Table() Kind { return KindConsent }

// Indexes: link (the digest of the link that answers).
func (c Consent) Indexes() []Index {
	if c.Digest == "" {
		return nil
	}
	return []Index{{"link", c.Digest}}
}
