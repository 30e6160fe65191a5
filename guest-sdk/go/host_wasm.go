//go:build wasip1

package sandstep

import (
	"log/slog"
	"unsafe"
)

// The host's functions and the task's export, in the canonical ABI of task.wit.

//go:wasmimport sandstep:task/host@0.1.0 heartbeat
func hostHeartbeat()

//go:wasmimport sandstep:task/host@0.1.0 log
func hostLog(level int32, text unsafe.Pointer, length uint32)

//go:wasmimport sandstep:task/host@0.1.0 context
func hostContext(result unsafe.Pointer)

//go:linkname main main.main
func main()

// Memory outside of the garbage collector's heap. The host asks for memory before Go's runtime has started, and a
// collection begun in the middle of such a request would read the clock, which is not allowed there.
//
//go:linkname sbrk runtime.sbrk
func sbrk(bytes uintptr) unsafe.Pointer

// Memory grows by pages of this size, so small requests share one.
const pageBytes = 64 << 10

var page struct {
	next unsafe.Pointer
	left uintptr
}

// reallocate is never asked to grow anything: the host knows the length of what it hands over. Nothing is freed
// either, since an instance lives for one call.
//
//go:wasmexport cabi_realloc
func reallocate(_ unsafe.Pointer, _, align, bytes uintptr) unsafe.Pointer {
	skip := -uintptr(page.next) & (align - 1)
	if page.left < skip+bytes {
		whole := (bytes + align + pageBytes - 1) &^ (pageBytes - 1)
		start := sbrk(whole)
		if start == nil {
			panic("out of memory")
		}
		page.next, page.left = start, whole
		skip = -uintptr(start) & (align - 1)
	}
	found := unsafe.Add(page.next, skip)
	page.next = unsafe.Add(found, bytes)
	page.left -= skip + bytes
	return found
}

// text is a string in the canonical ABI, whose addresses have 32 bits; Go's have 64.
type text struct {
	start  uint32
	length uint32
}

func (t text) string() string {
	if t.length == 0 {
		return ""
	}
	return unsafe.String((*byte)(unsafe.Pointer(uintptr(t.start))), t.length)
}

func textOf(bytes []byte) text {
	return text{start: uint32(uintptr(unsafe.Pointer(unsafe.SliceData(bytes)))), length: uint32(len(bytes))}
}

// result is `result<string, task-error>`.
type result struct {
	failed uint8
	// The output, or the error's name.
	first text
	cause text
}

// What the host still reads after the call.
var (
	answer result
	kept   [2][]byte
)

//go:wasmexport sandstep:task/handler@0.1.0#handle
func exported(input unsafe.Pointer, length uint32) unsafe.Pointer {
	slog.SetDefault(slog.New(newLines(writeLog)))
	output, failure := handle([]byte(unsafe.String((*byte)(input), length)))
	if failure != nil {
		kept = [2][]byte{[]byte(failure.Name), []byte(failure.Cause)}
		answer = result{failed: 1, first: textOf(kept[0]), cause: textOf(kept[1])}
	} else {
		kept = [2][]byte{output, nil}
		answer = result{first: textOf(output)}
	}
	return unsafe.Pointer(&answer)
}

func init() {
	// A library's main isn't called by anybody; ours says which function is the task. It runs once, before the
	// first call.
	prepare = main
}

func started() {}

func heartbeat() { hostHeartbeat() }

func writeLog(level int32, line string) {
	hostLog(level, unsafe.Pointer(unsafe.StringData(line)), uint32(len(line)))
}

func attempt() Attempt {
	var found struct {
		execution, machine, state text
		retries                   uint32
		key                       text
		// A struct of its own, for its alignment.
		deadline struct {
			isSome uint8
			value  uint64
		}
	}
	hostContext(unsafe.Pointer(&found))
	attempt := Attempt{
		ExecutionID:    found.execution.string(),
		StateMachineID: found.machine.string(),
		StateName:      found.state.string(),
		RetryCount:     found.retries,
		IdempotencyKey: found.key.string(),
	}
	if found.deadline.isSome != 0 {
		attempt.Deadline = found.deadline.value
	}
	return attempt
}
