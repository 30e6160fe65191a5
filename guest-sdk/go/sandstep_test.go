package sandstep

import (
	"errors"
	"fmt"
	"log/slog"
	"reflect"
	"strconv"
	"strings"
	"testing"
)

type line struct {
	Quantity int `json:"quantity"`
}

type order struct {
	Lines []line `json:"lines"`
}

// run calls a task as the host does.
func run[Input, Output any](function func(Input) (Output, error), input string) (string, *Error) {
	defer func() { task = nil }()
	define(function)
	output, failure := handle([]byte(input))
	return string(output), failure
}

func count(order order) (int, error) {
	total := 0
	for _, line := range order.Lines {
		if line.Quantity < 0 {
			return 0, Errorf("NegativeQuantity", "a line has %d", line.Quantity)
		}
		total += line.Quantity
	}
	return total, nil
}

func TestATaskIsJSONInAndJSONOut(t *testing.T) {
	output, failure := run(count, `{"lines": [{"quantity": 2}, {"quantity": 3}]}`)
	if output != "5" || failure != nil {
		t.Fatal(output, failure)
	}
}

func TestFailuresHaveANameAndACause(t *testing.T) {
	number := func(text string) (int, error) { return strconv.Atoi(text) }
	wrapped := func(text string) (int, error) {
		_, err := strconv.Atoi(text)
		return 0, fmt.Errorf("reading the quantity: %w", err)
	}
	own := func(string) (int, error) {
		return 0, fmt.Errorf("charging: %w", Errorf("CardDeclined", "no money"))
	}
	nameless := func(string) (int, error) { return 0, errors.New("no") }
	total := func(order struct {
		Line line `json:"line"`
	}) (int, error) {
		return order.Line.Quantity, nil
	}
	channel := func(string) (chan int, error) { return nil, nil }
	for _, c := range []struct {
		run         func() (string, *Error)
		name, cause string
	}{
		{func() (string, *Error) { return run(count, `{"lines":[{"quantity":-1}]}`) }, "NegativeQuantity", "a line has -1"},
		{func() (string, *Error) { return run(total, `{"line":{"quantity":"two"}}`) }, "InvalidInput", "`line.quantity`: expected int, got string"},
		{func() (string, *Error) { return run(count, `{`) }, "InvalidInput", "unexpected end of JSON input"},
		{func() (string, *Error) { return run(number, `"x"`) }, "NumError", `strconv.Atoi: parsing "x": invalid syntax`},
		{func() (string, *Error) { return run(wrapped, `"x"`) }, "NumError", `reading the quantity: strconv.Atoi: parsing "x": invalid syntax`},
		{func() (string, *Error) { return run(own, `""`) }, "CardDeclined", "charging: no money"},
		{func() (string, *Error) { return run(nameless, `""`) }, "Error", "no"},
		{func() (string, *Error) { return run(channel, `""`) }, "InvalidOutput", "json: unsupported type: chan int"},
	} {
		output, failure := c.run()
		if failure == nil || failure.Name != c.name || failure.Cause != c.cause {
			t.Errorf("wanted %s: %s, got %q and %v", c.name, c.cause, output, failure)
		}
	}
}

func TestAPanicIsAFailureThatSaysWhere(t *testing.T) {
	for _, c := range []struct {
		task  func(int) (int, error)
		cause string
	}{
		{func(int) (int, error) { panic("boom") }, "boom at sandstep_test.go:"},
		{func(index int) (int, error) { return []int{1}[index], nil }, "index out of range [7] with length 1 at sandstep_test.go:"},
	} {
		_, failure := run(c.task, "7")
		if failure == nil || failure.Name != "Panic" || !strings.Contains(failure.Cause, c.cause) {
			t.Errorf("wanted %q, got %v", c.cause, failure)
		}
	}
}

func TestEverySlogRecordIsOneLineOfItsLevel(t *testing.T) {
	var got []string
	log := slog.New(newLines(func(level int32, line string) { got = append(got, fmt.Sprint(level, " ", line)) }))
	log.Debug("looking")
	log.With("order", "A-1").Info("charging", "amount", 12)
	log.WithGroup("card").Warn("slow", "msg", "a b")
	log.Error("gone")
	wanted := []string{"0 looking", "1 charging order=A-1 amount=12", `2 slow card.msg="a b"`, "3 gone"}
	if !reflect.DeepEqual(got, wanted) {
		t.Errorf("got %q", got)
	}
}
