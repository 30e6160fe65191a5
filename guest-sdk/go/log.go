package sandstep

import (
	"context"
	"log/slog"
	"strings"
)

// Levels of the host, in the order of task.wit.
const (
	levelDebug = iota
	levelInfo
	levelWarn
	levelError
)

// lines is a slog handler that hands each record to the host as one line: the message, then key=value.
type lines struct {
	text  *strings.Builder
	inner slog.Handler
	write func(level int32, line string)
}

func newLines(write func(level int32, line string)) *lines {
	text := &strings.Builder{}
	inner := slog.NewTextHandler(text, &slog.HandlerOptions{
		Level: slog.LevelDebug,
		ReplaceAttr: func(groups []string, attribute slog.Attr) slog.Attr {
			// The host has the time and the level already, and the message goes first and without a key.
			if len(groups) == 0 {
				switch attribute.Key {
				case slog.TimeKey, slog.LevelKey, slog.MessageKey:
					return slog.Attr{}
				}
			}
			return attribute
		},
	})
	return &lines{text: text, inner: inner, write: write}
}

func (l *lines) Enabled(context.Context, slog.Level) bool { return true }

func (l *lines) Handle(ctx context.Context, record slog.Record) error {
	l.text.Reset()
	if err := l.inner.Handle(ctx, record); err != nil {
		return err
	}
	line := strings.TrimSpace(record.Message + " " + strings.TrimSpace(l.text.String()))
	l.write(hostLevel(record.Level), line)
	return nil
}

func (l *lines) WithAttrs(attributes []slog.Attr) slog.Handler {
	return &lines{text: l.text, inner: l.inner.WithAttrs(attributes), write: l.write}
}

func (l *lines) WithGroup(name string) slog.Handler {
	return &lines{text: l.text, inner: l.inner.WithGroup(name), write: l.write}
}

func hostLevel(level slog.Level) int32 {
	switch {
	case level < slog.LevelInfo:
		return levelDebug
	case level < slog.LevelWarn:
		return levelInfo
	case level < slog.LevelError:
		return levelWarn
	default:
		return levelError
	}
}
