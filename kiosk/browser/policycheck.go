package browser

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"sort"
	"time"
)

// policyPage is where Chromium says what it makes of its policies.
const policyPage = "chrome://policy/"

// ProbePolicy is policy with the one address added that CheckPolicy reads, and
// with leave to drive it, for a probe browser that no person ever sees.
func ProbePolicy(policy []byte) ([]byte, error) {
	var s settings
	if err := json.Unmarshal(policy, &s); err != nil {
		return nil, fmt.Errorf("cannot probe a browser policy: %w", err)
	}
	list, _ := s["URLAllowlist"].([]any)
	s["URLAllowlist"] = append(list, "chrome://policy")
	list, _ = s["DeveloperToolsAvailabilityAllowlist"].([]any)
	s["DeveloperToolsAvailabilityAllowlist"] = append(list, "chrome://policy")
	return encode(s)
}

// readPolicies asks the page's own source, and gives name → complaint.
const readPolicies = `(async () => {
  const { addWebUiListener } = await import('chrome://resources/js/cr.js');
  return await new Promise((resolve) => {
    addWebUiListener('policies-updated', (names, values) => {
      const found = {};
      for (const source of Object.values(values.policyGroups))
        for (const [name, v] of Object.entries(source.policies || {})) found[name] = v.error || (v.ignored ? 'ignored' : '');
      resolve(found);
    });
    chrome.send('listenPoliciesUpdates');
  });
})()`

// CheckPolicy reads, in a probe browser started with ProbePolicy(policy), which
// of policy's names Chromium does not know, refuses or ignores. A policy that it
// did not load at all is all rejected. The names come sorted.
func CheckPolicy(ctx context.Context, p *Pipe, policy []byte) ([]string, error) {
	var want settings
	if err := json.Unmarshal(policy, &want); err != nil {
		return nil, fmt.Errorf("cannot check a browser policy: %w", err)
	}
	var t struct {
		TargetID string `json:"targetId"`
	}
	if err := p.Call(ctx, "", "Target.createTarget", map[string]any{"url": policyPage}, &t); err != nil {
		return nil, fmt.Errorf("cannot check the browser's policy: %w", err)
	}
	defer p.Call(context.WithoutCancel(ctx), "", "Target.closeTarget", map[string]any{"targetId": t.TargetID}, nil)
	var a struct {
		SessionID string `json:"sessionId"`
	}
	var found map[string]string
	for {
		// Until the page is there, the evaluation runs in the one before.
		once, cancel := context.WithTimeout(ctx, 2*time.Second)
		var err error
		if a.SessionID == "" {
			// The policy must be loaded, and the page there, before it is given.
			err = p.Call(once, "", "Target.attachToTarget", map[string]any{"targetId": t.TargetID, "flatten": true}, &a)
		}
		if err == nil {
			err = evaluate(once, p, a.SessionID, map[string]any{"expression": readPolicies, "returnByValue": true, "awaitPromise": true}, &found)
		}
		cancel()
		if err == nil && found != nil {
			break
		}
		select {
		case <-ctx.Done():
			return nil, fmt.Errorf("cannot check the browser's policy: %s does not answer: %w", policyPage, ctx.Err())
		case <-p.Done():
			return nil, p.Err()
		case <-time.After(20 * time.Millisecond):
		}
	}
	rejected := []string{}
	for name := range want {
		if complaint, known := found[name]; !known || complaint != "" {
			rejected = append(rejected, name)
		}
	}
	sort.Strings(rejected)
	return slices.Compact(rejected), nil
}
