// A task that does one thing the SDK promises something about. tests/e2e/languages.rs asks for each.
package main

import (
	"encoding/json"
	"log/slog"

	"example.com/probe-go/sandstep"
)

type deed struct {
	Do      string          `json:"do"`
	Value   json.RawMessage `json:"value"`
	Error   string          `json:"error"`
	Cause   string          `json:"cause"`
	Message string          `json:"message"`
	Number  int             `json:"number"`
}

var kept [][]byte

func probe(deed deed) (any, error) {
	switch deed.Do {
	case "echo":
		return deed.Value, nil
	case "fail":
		return nil, sandstep.Errorf(deed.Error, "%s", deed.Cause)
	case "crash":
		return []int{1}[deed.Number], nil
	case "log":
		slog.Debug(deed.Message)
		slog.Info(deed.Message)
		slog.Warn(deed.Message)
		slog.Error(deed.Message)
		return nil, nil
	case "beat":
		for range deed.Number {
			sandstep.Heartbeat()
		}
		return deed.Number, nil
	case "context":
		attempt := sandstep.Context()
		return map[string]any{
			"executionId":    attempt.ExecutionID,
			"stateMachineId": attempt.StateMachineID,
			"stateName":      attempt.StateName,
			"retryCount":     attempt.RetryCount,
			"idempotencyKey": attempt.IdempotencyKey,
			"deadline":       attempt.Deadline,
		}, nil
	case "spin":
		for turns := 0; ; turns++ {
			kept = kept[:turns%1]
		}
	case "allocate":
		for range deed.Number {
			piece := make([]byte, 1<<20)
			for index := range piece {
				piece[index] = 1
			}
			kept = append(kept, piece)
		}
		return len(kept), nil
	default:
		return nil, sandstep.Errorf("UnknownDeed", "%s", deed.Do)
	}
}

func main() { sandstep.Start(probe) }
