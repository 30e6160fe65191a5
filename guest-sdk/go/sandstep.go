// Package sandstep makes a WebAssembly task of one typed function:
//
//	type Order struct {
//		ID     string `json:"id"`
//		Amount int    `json:"amount"`
//	}
//
//	func charge(order Order) (Receipt, error) {
//		if order.Amount > 100_000 {
//			return Receipt{}, sandstep.Errorf("CardDeclined", "%d is over the card's limit", order.Amount)
//		}
//		slog.Info("charging", "amount", order.Amount)
//		return Receipt{Order: order.ID, Charged: order.Amount}, nil
//	}
//
//	func main() { sandstep.Start(charge) }
//
// The state's input is read into the argument, the result becomes its output. What doesn't fit fails with
// InvalidInput, a returned error with its name, a panic with Panic.
//
// This package owns what a task's author sees and the JSON at the edge; the contract with the host is the file
// task.wit. Goroutines work within one call. There are no files and no network, and the clock and random numbers
// make a task that isn't the same twice: what can come in with the input should.
package sandstep

import (
	"encoding/json"
	"fmt"
)

// Names of the failures this package finds by itself.
const (
	invalidInput  = "InvalidInput"
	invalidOutput = "InvalidOutput"
	panicked      = "Panic"
	noTask        = "NoTask"
)

// The task, from JSON to JSON.
var task func(input []byte) ([]byte, error)

// prepare calls main, where nobody else does.
var prepare func()

// Start says which function is the task. It is what main does, and all it does.
//
// On any other system than WebAssembly it runs the task once, from standard input to standard output, so that
// `go run .` tries it out.
func Start[Input, Output any](function func(Input) (Output, error)) {
	define(function)
	started()
}

func define[Input, Output any](function func(Input) (Output, error)) {
	task = func(text []byte) ([]byte, error) {
		var input Input
		if err := json.Unmarshal(text, &input); err != nil {
			return nil, Errorf(invalidInput, "%s", inputProblem(err))
		}
		output, err := function(input)
		if err != nil {
			return nil, err
		}
		written, err := json.Marshal(output)
		if err != nil {
			return nil, Errorf(invalidOutput, "%w", err)
		}
		return written, nil
	}
}

// Heartbeat tells the host that the task is alive: the state's HeartbeatSeconds start again.
func Heartbeat() { heartbeat() }

// Attempt says where a task stands.
type Attempt struct {
	// ExecutionID is `$$.Execution.Id`.
	ExecutionID string
	// StateMachineID is `$$.StateMachine.Id`.
	StateMachineID string
	// StateName is the Task state's name.
	StateName string
	// RetryCount is 0 for the first attempt, 1 for the first retry.
	RetryCount uint32
	// IdempotencyKey is the same for every run of this attempt, a run after a crash included: hand it to outside
	// services that deduplicate.
	IdempotencyKey string
	// Deadline is when the task is stopped, in milliseconds since the Unix epoch; 0 where the state sets no
	// TimeoutSeconds.
	Deadline uint64
}

// Context asks the host where this attempt stands.
func Context() Attempt { return attempt() }

// handle is one call: input in, and either an output or a failure out.
func handle(input []byte) (output []byte, failure *Error) {
	defer func() {
		if value := recover(); value != nil {
			output, failure = nil, &Error{Name: panicked, Cause: fmt.Sprint(value) + panicPlace()}
		}
	}()
	if task == nil && prepare != nil {
		prepare()
	}
	if task == nil {
		return nil, &Error{Name: noTask, Cause: "main has to call sandstep.Start with the task's function"}
	}
	output, err := task(input)
	if err != nil {
		return nil, named(err)
	}
	return output, nil
}
