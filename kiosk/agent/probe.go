package agent

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"

	"borne/controller/wire"
	"borne/kiosk/sandbox"
	"borne/kiosk/session"
)

// RejectedError names the settings of the rules that the browser here does not
// take: another version of it, or a mistake of ours. What such a setting forbids
// would be open, so nobody may begin.
type RejectedError struct{ Keys []string }

func (e *RejectedError) Error() string {
	return fmt.Sprintf("cannot use the rules: this browser rejects %s; install the browser that this version was made for, or a newer version of the terminal",
		strings.Join(e.Keys, ", "))
}

// taken asks the running browser, once for each policy, whether it takes every
// key of it. The caller holds work.
func (b *boxes) taken(ctx context.Context, p Rules, lang string) error {
	if b.probe == nil || bytes.Equal(b.sure, p.Signed.Payload) {
		return nil
	}
	req, _, err := b.prepare(p, lang)
	if err != nil {
		return fmt.Errorf("cannot ask the browser about the rules: %w", err)
	}
	if req.Window, err = b.free(); err != nil {
		return err
	}
	req.Probe = true
	ctx, cancel := context.WithTimeout(ctx, prepareWithin)
	defer cancel()
	_, files, err := b.warden.Do(ctx, sandbox.Request{Prepare: &req})
	if err != nil {
		return err
	}
	keys, err := b.probe(ctx, files, p, lang)
	if err != nil {
		return err
	}
	if len(keys) > 0 {
		return &RejectedError{keys}
	}
	b.sure = p.Signed.Payload
	b.log.Info("the browser takes every key of the rules", "version", p.Version)
	return nil
}

// rejects takes the terminal out of service when err says that the browser does
// not take its rules, and tells staff which keys.
func (a *Agent) rejects(work context.Context, err error) {
	var r *RejectedError
	if !errors.As(err, &r) || a.state.Live.Trouble != "" {
		return
	}
	a.log.Error("the browser rejects keys of the rules", "keys", r.Keys)
	a.refused = fmt.Sprintf("%.500s", r.Error())
	a.applyWith(work, session.Faulty{Reason: wire.OutPolicyKey},
		extra{records: []wire.Record{draft(a.now(), wire.KindAlert, wire.Alert{Code: "policy-key", Detail: fmt.Sprintf("%.300s", strings.Join(r.Keys, ", "))})}})
}
