// Command borne-kiosk is the whole software of one public terminal: every role
// of it, in one program.
package main

import (
	"os"

	"borne/kiosk/cli"
)

// version is set by the linker (-X main.version=…).
var version = "dev"

func main() {
	os.Exit(cli.Main(cli.Env{Args: os.Args, Stdin: os.Stdin, Stdout: os.Stdout, Stderr: os.Stderr, Version: version}))
}
