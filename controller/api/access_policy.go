package api

import (
	"net/http"

	"borne/controller/accounts"
)

// Operations about the rules of the Département, a site, a space and a terminal.
const (
	opAllPolicy          = "policy"
	opSitePolicy         = "site-policy"
	opSpacePolicy        = "space-policy"
	opTerminalPolicy     = "terminal-policy"
	opPutAll             = "put-policy"
	opPutSite            = "put-site-policy"
	opPutSpace           = "put-space-policy"
	opPutTerminal        = "put-terminal-policy"
	opPreviewAll         = "preview-policy"
	opPreviewSitePolicy  = "preview-site-policy"
	opPreviewSpacePolicy = "preview-space-policy"
	opPreviewTerminal    = "preview-terminal-policy"
	opAllVersions        = "policy-changes"
	opSiteVersions       = "site-policy-changes"
	opSpaceVersions      = "space-policy-changes"
	opTerminalVersions   = "terminal-policy-changes"
	opUndoAllPolicy      = "undo-policy"
	opUndoSitePolicy     = "undo-site-policy"
	opUndoSpacePolicy    = "undo-space-policy"
	opAllRollout         = "rollout"
	opSiteRollout        = "site-rollout"
	opSpaceRollout       = "space-rollout"
	opUndoTerminal       = "undo-terminal-policy"

	opGroups         = "groups"
	opCreateGroup    = "create-group"
	opPutGroup       = "put-group"
	opDropGroup      = "remove-group"
	opGroupPolicy    = "group-policy"
	opPutGroupPolicy = "put-group-policy"
	opPreviewGroup   = "preview-group-policy"
	opGroupVersions  = "group-policy-changes"
	opUndoGroup      = "undo-group-policy"
	opGroupRollout   = "group-rollout"
	opSitePIN        = "site-pin"
	opSpacePIN       = "space-pin"
	opTerminalPIN    = "terminal-pin"
	opPutSitePIN     = "put-site-pin"
	opPutSpacePIN    = "put-space-pin"
	opPutTerminalPIN = "put-terminal-pin"
)

// policyTable is the part of Table about rules. Whoever reads a site's rules reads
// what it inherits too.
func policyTable() map[string]Access {
	const (
		adm = accounts.Administrator
		cor = accounts.Correspondant
		bui = accounts.Building
		rec = accounts.Reception
		dpo = accounts.DPO
	)
	const get, post, put = http.MethodGet, http.MethodPost, http.MethodPut
	r := func(roles ...accounts.Role) []accounts.Role { return roles }
	return map[string]Access{
		opAllRollout:         {post, "/api/policy/rollout", ScopeAll, r(adm)},
		opSiteRollout:        {post, "/api/sites/{id}/policy/rollout", ScopeSite, r(adm, cor)},
		opSpaceRollout:       {post, "/api/spaces/{id}/policy/rollout", ScopeSpace, r(adm, cor)},
		opAllPolicy:          {get, "/api/policy", ScopeAny, r(adm, cor, rec, dpo)},
		opPutAll:             {put, "/api/policy", ScopeAll, r(adm)},
		opPreviewAll:         {post, "/api/policy/preview", ScopeAll, r(adm)},
		opAllVersions:        {get, "/api/policy/changes", ScopeAny, r(adm, cor, dpo)},
		opUndoAllPolicy:      {post, "/api/policy/undo", ScopeAll, r(adm)},
		opGroups:             {get, "/api/groups", ScopeAny, r(adm, cor, rec, dpo)},
		opCreateGroup:        {post, "/api/groups", ScopeAll, r(adm)},
		opPutGroup:           {put, "/api/groups/{id}", ScopeAll, r(adm)},
		opDropGroup:          {http.MethodDelete, "/api/groups/{id}", ScopeAll, r(adm)},
		opGroupPolicy:        {get, "/api/groups/{id}/policy", ScopeAny, r(adm, cor, rec, dpo)}, // what their sites inherit
		opPutGroupPolicy:     {put, "/api/groups/{id}/policy", ScopeAll, r(adm)},
		opPreviewGroup:       {post, "/api/groups/{id}/policy/preview", ScopeAll, r(adm)},
		opGroupVersions:      {get, "/api/groups/{id}/policy/changes", ScopeAny, r(adm, cor, dpo)},
		opGroupRollout:       {post, "/api/groups/{id}/policy/rollout", ScopeAll, r(adm)},
		opUndoGroup:          {post, "/api/groups/{id}/policy/undo", ScopeAll, r(adm)},
		opSitePolicy:         {get, "/api/sites/{id}/policy", ScopeSite, r(adm, cor, rec, dpo)},
		opPutSite:            {put, "/api/sites/{id}/policy", ScopeSite, r(adm, cor)},
		opPreviewSitePolicy:  {post, "/api/sites/{id}/policy/preview", ScopeSite, r(adm, cor)},
		opSiteVersions:       {get, "/api/sites/{id}/policy/changes", ScopeSite, r(adm, cor, dpo)},
		opUndoSitePolicy:     {post, "/api/sites/{id}/policy/undo", ScopeSite, r(adm, cor)},
		opSpacePolicy:        {get, "/api/spaces/{id}/policy", ScopeSpace, r(adm, cor, rec, dpo)},
		opPutSpace:           {put, "/api/spaces/{id}/policy", ScopeSpace, r(adm, cor)},
		opPreviewSpacePolicy: {post, "/api/spaces/{id}/policy/preview", ScopeSpace, r(adm, cor)},
		opSpaceVersions:      {get, "/api/spaces/{id}/policy/changes", ScopeSpace, r(adm, cor, dpo)},
		opUndoSpacePolicy:    {post, "/api/spaces/{id}/policy/undo", ScopeSpace, r(adm, cor)},
		opTerminalPolicy:     {get, "/api/terminals/{id}/policy", ScopeTerminal, r(adm, cor, rec, dpo)},
		opPutTerminal:        {put, "/api/terminals/{id}/policy", ScopeTerminal, r(adm, cor)},
		opPreviewTerminal:    {post, "/api/terminals/{id}/policy/preview", ScopeTerminal, r(adm, cor)},
		opTerminalVersions:   {get, "/api/terminals/{id}/policy/changes", ScopeTerminal, r(adm, cor, dpo)},
		opUndoTerminal:       {post, "/api/terminals/{id}/policy/undo", ScopeTerminal, r(adm, cor)},
		// The PIN is the building's staff's own. They see no terminals.
		opSitePIN:        {get, "/api/sites/{id}/pin", ScopeSite, r(adm, cor, bui)},
		opPutSitePIN:     {put, "/api/sites/{id}/pin", ScopeSite, r(adm, cor, bui)},
		opSpacePIN:       {get, "/api/spaces/{id}/pin", ScopeSpace, r(adm, cor, bui)},
		opPutSpacePIN:    {put, "/api/spaces/{id}/pin", ScopeSpace, r(adm, cor, bui)},
		opTerminalPIN:    {get, "/api/terminals/{id}/pin", ScopeTerminal, r(adm, cor)},
		opPutTerminalPIN: {put, "/api/terminals/{id}/pin", ScopeTerminal, r(adm, cor)},
	}
}
