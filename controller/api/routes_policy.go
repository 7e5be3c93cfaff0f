package api

import (
	"errors"
	"net/http"
)

// policyRoutes are those about rules: of the Département, a site, a space and a
// terminal.
func (a *API) policyRoutes() error {
	return errors.Join(
		register(a, opAllPolicy, "The Département's policy", http.StatusOK, a.allPolicy),
		register(a, opPutAll, "Change the Département's policy", http.StatusOK, a.putAllPolicy),
		register(a, opSitePolicy, "A site's policy", http.StatusOK, a.sitePolicy),
		register(a, opPutSite, "Change a site's policy", http.StatusOK, a.putSitePolicy),
		register(a, opSpacePolicy, "A space's policy", http.StatusOK, a.spacePolicy),
		register(a, opPutSpace, "Change a space's policy", http.StatusOK, a.putSpacePolicy),
		register(a, opTerminalPolicy, "A terminal's policy", http.StatusOK, a.terminalPolicy),
		register(a, opPutTerminal, "Change a terminal's policy", http.StatusOK, a.putTerminalPolicy),
		register(a, opPreviewAll, "What a policy would change in the Département", http.StatusOK, a.previewAllPolicy),
		register(a, opPreviewSitePolicy, "What a policy would change at a site", http.StatusOK, a.previewSitePolicy),
		register(a, opPreviewSpacePolicy, "What a policy would change at a space", http.StatusOK, a.previewSpacePolicy),
		register(a, opPreviewTerminal, "What a policy would change at a terminal", http.StatusOK, a.previewTerminalPolicy),
		register(a, opAllVersions, "Publications of the Département's policy, newest first", http.StatusOK, a.allPolicyChanges),
		register(a, opSiteVersions, "Publications of a site's policy, newest first", http.StatusOK, a.sitePolicyChanges),
		register(a, opSpaceVersions, "Publications of a space's policy, newest first", http.StatusOK, a.spacePolicyChanges),
		register(a, opTerminalVersions, "Publications of a terminal's policy, newest first", http.StatusOK, a.terminalPolicyChanges),
		register(a, opUndoAllPolicy, "Go back before a publication of the Département's policy", http.StatusOK, a.undoAllPolicy),
		register(a, opUndoSitePolicy, "Go back before a publication of a site's policy", http.StatusOK, a.undoSitePolicy),
		register(a, opUndoSpacePolicy, "Go back before a publication of a space's policy", http.StatusOK, a.undoSpacePolicy),
		register(a, opGroups, "Groups of sites", http.StatusOK, a.groups),
		register(a, opCreateGroup, "Make a group of sites", http.StatusCreated, a.createGroup),
		register(a, opPutGroup, "Change a group's name and sites", http.StatusOK, a.putGroup),
		register(a, opDropGroup, "Remove a group of sites and its rules", http.StatusOK, a.removeGroup),
		register(a, opGroupPolicy, "The policy that a group hands down to its sites", http.StatusOK, a.groupPolicy),
		register(a, opPutGroupPolicy, "Change a group's policy", http.StatusOK, a.putGroupPolicy),
		register(a, opPreviewGroup, "What a policy would change in a group's sites", http.StatusOK, a.previewGroupPolicy),
		register(a, opGroupVersions, "Publications of a group's policy, newest first", http.StatusOK, a.groupPolicyChanges),
		register(a, opGroupRollout, "Go on with a change of a group's policy, hold it, or go back", http.StatusOK, a.groupRollout),
		register(a, opUndoGroup, "Go back before a publication of a group's policy", http.StatusOK, a.undoGroupPolicy),
		register(a, opUndoTerminal, "Go back before a publication of a terminal's policy", http.StatusOK, a.undoTerminalPolicy),
		register(a, opAllRollout, "Go on with a change of the Département's policy, hold it, or go back", http.StatusOK, a.allRollout),
		register(a, opSiteRollout, "Go on with a change of a site's policy, hold it, or go back", http.StatusOK, a.siteRollout),
		register(a, opSpaceRollout, "Go on with a change of a space's policy, hold it, or go back", http.StatusOK, a.spaceRollout),
		register(a, opSitePIN, "Whether a site's staff have a PIN for the menu at its terminals", http.StatusOK, a.sitePIN),
		register(a, opPutSitePIN, "Set, take away or inherit a site's PIN; nobody reads it back", http.StatusOK, a.putSitePIN),
		register(a, opSpacePIN, "Whether a space's staff have a PIN", http.StatusOK, a.spacePIN),
		register(a, opPutSpacePIN, "Set, take away or inherit a space's PIN", http.StatusOK, a.putSpacePIN),
		register(a, opTerminalPIN, "Whether staff have a PIN at a terminal", http.StatusOK, a.terminalPIN),
		register(a, opPutTerminalPIN, "Set, take away or inherit a terminal's PIN", http.StatusOK, a.putTerminalPIN),
	)
}
