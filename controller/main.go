// Command borne-controller directs the public terminals of a Département: it
// enrols them, gives them their rules, verifies what they erased, and serves
// the console.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"
	_ "time/tzdata" // opening hours are in Europe/Paris, wherever this runs

	"borne/controller/cli"
)

// version is set by the linker.
var version = "dev"

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := cli.Run(ctx, os.Args[1:], cli.IO{Out: os.Stdout, Err: os.Stderr, Env: os.Getenv, Version: version})
	stop()
	os.Exit(code)
}
