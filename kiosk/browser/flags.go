package browser

// SessionFlags are the switches that the session's code here relies on. A
// browser is started with them, with --remote-debugging-pipe, and on about:blank:
// NewSession then opens the portal.
func SessionFlags() []string {
	return append(commonFlags(),
		// The window goes with its last tab: the process must outlive it for
		// the moment that a new tab on the portal takes.
		"--keep-alive-for-test",
	)
}

// ShellFlags are the switches of the shell's browser: a window without tabs or
// address bar. It starts on the shell's origin, the only address that its policy
// lets the pipe drive; nothing is served there until OpenShell sets the cookie.
func ShellFlags(origin string) []string {
	return append(commonFlags(),
		"--app="+origin+"/",
		"--disable-pinch",
		"--overscroll-history-navigation=0",
	)
}

func commonFlags() []string {
	return []string{
		"--no-first-run",
		"--no-default-browser-check",
		"--password-store=basic",
		"--disable-background-networking",
		"--disable-breakpad",
		"--disable-component-update",
		"--disable-sync",
	}
}
