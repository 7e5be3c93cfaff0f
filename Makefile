# Borne. Two commands matter: `make run` and `make test`. The rest serves them.
SHELL      := /bin/sh
VERSION    := $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)
LDFLAGS    := -s -w -X main.version=$(VERSION)
STATICCHECK := honnef.co/go/tools/cmd/staticcheck@v0.8.2
GOVULNCHECK := golang.org/x/vuln/cmd/govulncheck@v1.1.4
FUZZTIME   ?= 2s
export CGO_ENABLED := 0

.PHONY: all run test check build ui setup unit fuzz e2e escape escape-mutation forensics forensics-full bench clean cross hw-kernel ipp

all: build

setup:
	@scripts/setup

# Pages first: the binaries embed them.
ui: setup
	@cd ui && npm run --silent build

build: ui
	go build -trimpath -ldflags '$(LDFLAGS)' -o bin/borne-kiosk ./kiosk
	go build -trimpath -ldflags '$(LDFLAGS)' -o bin/borne-controller ./controller
	go build -trimpath -o bin/borne-demo ./scripts/demo

# A controller, one terminal with simulated hardware, and three addresses.
run: build
	@bin/borne-demo

# The whole suite, as continuous integration runs it.
test: build check unit fuzz

# Whole terminals apart from the rest, two at once: each has users, addresses and displays of its own,
# and waits for its person more than it works. Isolation among them: every end and sink once, a draw of
# the ways out; make forensics-full and make escape do all.
STANDS := ./scripts/kills ./scripts/escape ./scripts/forensics ./scripts/e2e
unit:
	go test -count=1 -timeout 15m $$(go list ./... | grep -vE 'scripts/(e2e|kills|forensics|escape)$$')
	go test -count=1 -timeout 20m -p 2 $(STANDS)

# Every fuzz target for a moment: parsers of foreign bytes.
fuzz:
	@FUZZTIME=$(FUZZTIME) scripts/fuzz

# A person from tap to clean, alone.
e2e: build
	go test -count=1 -v -timeout 10m ./scripts/e2e

# Canaries wherever a session may leave something, a cycle for each end, a search of everything.
forensics: build
	go test -count=1 -v -timeout 15m -run 'TestForensics|TestEachEnd' ./scripts/forensics

# The same for a night: 200 cycles, idle and time among the ends. FORENSICS_SEED repeats an order.
forensics-full: build
	FORENSICS_CYCLES=200 go test -count=1 -v -timeout 3h -run TestForensics ./scripts/forensics

# Every attempt to get out, and who stops it.
escape: build
	ESCAPE=all go test -count=1 -v -run TestNobodyGetsOut -timeout 12m ./scripts/escape

# The same rows without the guards that they name: each must report an escape.
escape-mutation: build
	ESCAPE_MUTATION=all go test -count=1 -v -run 'TestEachGuardIsNeeded|TestEveryRowCanFail' -timeout 60m ./scripts/escape

# From the end of a session to the next one that can begin, beside a cold start; what a terminal takes while nobody is there.
bench: build
	go test -count=1 -v -run '^$$' -bench 'SessionEnd|ShellBack' -benchtime 20x -timeout 30m ./scripts/kills
	go test -count=1 -v -run '^$$' -bench ProfileWipe -benchtime 20x ./kiosk/warden
	go test -count=1 -v -run '^$$' -bench Idle -benchtime 1x ./scripts/kills

# CUPS's own conformance suites against the session's printer, with a real one behind it.
ipp:
	go test -count=1 -v -parallel 4 -timeout 5m ./scripts/ipp

# The drivers over the kernel's own devices, on a real kernel without a board (User-Mode Linux).
hw-kernel:
	@scripts/hw-kernel

check:
	@scripts/check '$(STATICCHECK)' '$(GOVULNCHECK)'

# The boards: the agent needs no C compiler for any of them.
cross:
	GOOS=linux GOARCH=arm64 go build -trimpath -ldflags '$(LDFLAGS)' -o bin/arm64/ ./kiosk
	GOOS=linux GOARCH=arm GOARM=7 go build -trimpath -ldflags '$(LDFLAGS)' -o bin/armv7/ ./kiosk

clean:
	rm -rf bin out ui/terminal/dist/* ui/console/dist/*
