package api

import "time"

// AccountsView is a page of accounts.
type AccountsView struct {
	Accounts []AccountView `json:"accounts"`
	Next     string        `json:"next,omitempty"`
	Mails    bool          `json:"mails" doc:"This controller sends mails: people can be invited by one"`
	Provider string        `json:"provider,omitempty" doc:"Name of the OpenID provider, when people may come by one"`
	Recent   bool          `json:"recent" doc:"The person logged in a short while ago, and may change accounts"`
}

// AccountView is somebody who may log in.
type AccountView struct {
	ID        string        `json:"id"`
	Rev       uint64        `json:"rev" doc:"Also the ETag, to change it"`
	Name      string        `json:"name"`
	Email     string        `json:"email,omitempty"`
	Role      string        `json:"role" enum:"administrator,correspondant,building,head,reception,dpo,observer"`
	All       bool          `json:"all" doc:"The role is held on every site"`
	Sites     []PlaceChoice `json:"sites"`
	Groups    []PlaceChoice `json:"groups" doc:"Groups of sites on which the role is held too"`
	Suspended bool          `json:"suspended"`
	Created   time.Time     `json:"created"`
	LastLogin *time.Time    `json:"lastLogin,omitempty"`
	Passkeys  int           `json:"passkeys" doc:"How many open it"`
	Provider  bool          `json:"provider" doc:"They have come by the OpenID provider"`
	LinkUntil *time.Time    `json:"linkUntil,omitempty" doc:"A link that was not used yet opens it until then"`
	Me        bool          `json:"me" doc:"It is the person's own"`
}

// AccountRequest is an account as it shall be.
type AccountRequest struct {
	Name      string   `json:"name" minLength:"1" maxLength:"100"`
	Email     string   `json:"email" maxLength:"200"`
	Role      string   `json:"role" enum:"administrator,correspondant,building,head,reception,dpo,observer"`
	All       bool     `json:"all" doc:"On every site; else Sites or Groups name some"`
	Sites     []string `json:"sites" maxItems:"500" doc:"Ids"`
	Groups    []string `json:"groups" maxItems:"100" doc:"Ids of groups of sites"`
	Suspended bool     `json:"suspended,omitempty"`
}

// InviteRequest makes an account.
type InviteRequest struct {
	AccountRequest
	How string `json:"how" enum:"mail,link,none" doc:"mail: the link goes to the person; link: it is shown once; none: the person comes by the OpenID provider"`
}

// LinkRequest makes another link for an account.
type LinkRequest struct {
	How    string `json:"how" enum:"mail,link"`
	Forget bool   `json:"forget,omitempty" doc:"A device was lost: passkeys and sessions of before open nothing any more"`
}

// AccountLink is an account and the link that was just made for it.
type AccountLink struct {
	Account AccountView `json:"account"`
	Link    string      `json:"link,omitempty" doc:"Shown once: it is kept nowhere"`
	Expires *time.Time  `json:"expires,omitempty"`
}

// TokensView are the keys with which programs use the API.
type TokensView struct {
	Tokens []TokenView `json:"tokens"`
	Next   string      `json:"next,omitempty"`
}

// TokenView is one key, without its secret.
type TokenView struct {
	ID      string        `json:"id"`
	Name    string        `json:"name"`
	Role    string        `json:"role"`
	All     bool          `json:"all" doc:"On every site"`
	Sites   []PlaceChoice `json:"sites"`
	Groups  []PlaceChoice `json:"groups"`
	By      string        `json:"by" doc:"Who made it, and answers for it"`
	Created time.Time     `json:"created"`
	Expires time.Time     `json:"expires"`
	Used    *time.Time    `json:"used,omitempty" doc:"When it was last used, to the hour"`
	Revoked *time.Time    `json:"revoked,omitempty"`
	Works   bool          `json:"works" doc:"Not revoked, not expired, and its maker is an administrator still"`
}

// TokenRequest makes a key. The role is asked for: there is none by default.
type TokenRequest struct {
	Name   string   `json:"name" minLength:"2" maxLength:"100"`
	Role   string   `json:"role" enum:"administrator,correspondant,building,reception,dpo,observer"`
	All    bool     `json:"all"`
	Sites  []string `json:"sites" maxItems:"500"`
	Groups []string `json:"groups" maxItems:"100"`
	Days   int      `json:"days" minimum:"1" maximum:"366"`
}

// TokenMade is a key that was just made.
type TokenMade struct {
	Token TokenView `json:"token"`
	Key   string    `json:"key" doc:"Shown once: it is kept nowhere. Send it as Authorization: Bearer"`
}
