//go:build !wasip1

package sandstep

import (
	"fmt"
	"io"
	"os"
)

// The host of a task that runs as an ordinary program: standard input and output, and lines on standard error.

func started() {
	// Under `go test` main isn't called, but a test may call it.
	input, err := io.ReadAll(os.Stdin)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(2)
	}
	output, failure := handle(input)
	if failure != nil {
		fmt.Fprintln(os.Stderr, failure)
		os.Exit(1)
	}
	fmt.Println(string(output))
}

func heartbeat() {}

func writeLog(_ int32, line string) { fmt.Fprintln(os.Stderr, line) }

func attempt() Attempt {
	return Attempt{
		ExecutionID:    "arn:aws:states:us-east-1:000000000000:execution:native:native",
		StateMachineID: "arn:aws:states:us-east-1:000000000000:stateMachine:native",
		StateName:      "Native",
		IdempotencyKey: "native",
	}
}
