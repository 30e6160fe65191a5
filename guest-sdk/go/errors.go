package sandstep

import (
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"runtime"
	"strings"
)

// Error is a failure that Retry and Catch match by its name.
type Error struct {
	// Name is what ErrorEquals lists. Names beginning with `States.` are the language's own; CamelCase is the custom.
	Name string
	// Cause is for people.
	Cause string

	wrapped error
}

// Errorf makes a failure with the error name that Retry and Catch match; the cause is formatted as by fmt.Errorf,
// `%w` included.
//
// Any other error that a task returns is named after its type, without the package: a *strconv.NumError is NumError.
func Errorf(name, format string, values ...any) error {
	cause := fmt.Errorf(format, values...)
	return &Error{Name: name, Cause: cause.Error(), wrapped: errors.Unwrap(cause)}
}

// Error is the name and the cause.
func (e *Error) Error() string { return e.Name + ": " + e.Cause }

// Unwrap is the error given as `%w`.
func (e *Error) Unwrap() error { return e.wrapped }

// named finds an error's name in what it wraps, outermost first.
func named(err error) *Error {
	if own, ok := err.(*Error); ok {
		return own
	}
	var own *Error
	if errors.As(err, &own) {
		return &Error{Name: own.Name, Cause: strings.Replace(err.Error(), own.Error(), own.Cause, 1)}
	}
	for inner := err; inner != nil; inner = errors.Unwrap(inner) {
		if name := typeName(inner); name != "" {
			return &Error{Name: name, Cause: err.Error()}
		}
	}
	return &Error{Name: "Error", Cause: err.Error()}
}

// typeName is empty for the types behind errors.New and fmt.Errorf, which say nothing.
func typeName(err error) string {
	kind := reflect.TypeOf(err)
	if kind.Kind() == reflect.Pointer {
		kind = kind.Elem()
	}
	if path := kind.PkgPath(); path == "errors" || path == "fmt" {
		return ""
	}
	return kind.Name()
}

// inputProblem says where the input doesn't fit and what was expected.
func inputProblem(err error) string {
	var wrong *json.UnmarshalTypeError
	if errors.As(err, &wrong) && wrong.Field != "" {
		return fmt.Sprintf("`%s`: expected %s, got %s", wrong.Field, wrong.Type, wrong.Value)
	}
	return err.Error()
}

// panicPlace is where the innermost panic happened, as ` at file:line`.
func panicPlace() string {
	callers := make([]uintptr, 64)
	frames := runtime.CallersFrames(callers[:runtime.Callers(1, callers)])
	place := ""
	for raised := false; ; {
		frame, more := frames.Next()
		switch {
		case frame.Function == "runtime.gopanic" || frame.Function == "runtime.sigpanic":
			raised, place = true, ""
		case raised && place == "" && !strings.HasPrefix(frame.Function, "runtime."):
			file := frame.File[strings.LastIndexByte(frame.File, '/')+1:]
			place = fmt.Sprintf(" at %s:%d", file, frame.Line)
		}
		if !more {
			return place
		}
	}
}
