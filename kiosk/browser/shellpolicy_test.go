package browser

import "maps"

// ShellPolicy stands for the warden's, which a real shell has: one origin, and
// that one for the pipe too.
func ShellPolicy(origin string) ([]byte, error) {
	all := baseSettings()
	maps.Copy(all, settings{
		"URLBlocklist":                        innerPages(),
		"URLAllowlist":                        []string{origin, "about:blank"},
		"DeveloperToolsAvailabilityAllowlist": []string{origin},
	})
	return encode(all)
}
