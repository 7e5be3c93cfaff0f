package api

import (
	"errors"
	"net/http"

	"borne/controller/accounts"
	"borne/controller/sitefile"
)

// Operations about the places themselves.
const (
	opSites         = "sites"
	opCreateSite    = "create-site"
	opPutSiteCard   = "put-site"
	opCloseSite     = "close-site"
	opCreateSpace   = "create-space"
	opPutSpaceCard  = "put-space"
	opCloseSpace    = "close-space"
	opSitesFile     = "sites-file"
	opImportSites   = "import-sites"
	opCancelEnrol   = "cancel-enrol-code"
	opPlaceTerminal = "place-terminal"
	opRevoke        = "revoke-terminal"
)

// siteTable is the part of Table about places. Which places there are is the
// Département's; what is in a place, its correspondant's too.
func siteTable() map[string]Access {
	const (
		adm = accounts.Administrator
		cor = accounts.Correspondant
	)
	const get, post, put = http.MethodGet, http.MethodPost, http.MethodPut
	r := func(roles ...accounts.Role) []accounts.Role { return roles }
	return map[string]Access{
		opSites:         {get, "/api/sites", ScopeAny, r(adm, cor)},
		opCreateSite:    {post, "/api/sites", ScopeAll, r(adm)},
		opPutSiteCard:   {put, "/api/sites/{id}", ScopeSite, r(adm, cor)}, // cor: not what it is called and counted as
		opCloseSite:     {put, "/api/sites/{id}/closed", ScopeSite, r(adm)},
		opCreateSpace:   {post, "/api/sites/{id}/spaces", ScopeSite, r(adm, cor)},
		opPutSpaceCard:  {put, "/api/spaces/{id}", ScopeSpace, r(adm, cor)},
		opCloseSpace:    {put, "/api/spaces/{id}/closed", ScopeSpace, r(adm, cor)},
		opSitesFile:     {get, "/api/sites-file", ScopeAny, r(adm, cor)},
		opImportSites:   {post, "/api/sites-file", ScopeAll, r(adm)},
		opCancelEnrol:   {http.MethodDelete, "/api/sites/{id}/enrol-codes/{code}", ScopeSite, r(adm, cor)},
		opPlaceTerminal: {put, "/api/terminals/{id}/place", ScopeTerminal, r(adm, cor)},
		opRevoke:        {post, "/api/terminals/{id}/revoke", ScopeTerminal, r(adm, cor)},
	}
}

func (a *API) siteRoutes() error {
	return errors.Join(
		register(a, opSites, "The places, their terminals and installation codes, closed ones too", http.StatusOK, a.sites),
		register(a, opCreateSite, "Create a site", http.StatusCreated, a.createSite),
		register(a, opPutSiteCard, "Change a site", http.StatusOK, a.putSite),
		register(a, opCloseSite, "Close a site that has no terminal, or open it again", http.StatusOK, a.closeSite),
		register(a, opCreateSpace, "Create a space of a site", http.StatusCreated, a.createSpace),
		register(a, opPutSpaceCard, "Change a space", http.StatusOK, a.putSpace),
		register(a, opCloseSpace, "Close a space that has no terminal, or open it again", http.StatusOK, a.closeSpace),
		register(a, opSitesFile, "The sites as a file", http.StatusOK, a.sitesFile),
		upload(a, opImportSites, "Bring sites in from a file, whole or not at all", http.StatusOK, 2*sitefile.MaxBytes, a.importSites),
		register(a, opCancelEnrol, "Cancel an installation code", http.StatusNoContent, a.cancelEnrol),
		register(a, opPlaceTerminal, "Rename a terminal, or move it to another space of its site", http.StatusOK, a.placeTerminal),
		register(a, opRevoke, "Shut a terminal out for good", http.StatusNoContent, a.revoke),
	)
}
