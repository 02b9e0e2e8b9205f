package tminus

import (
	"context"
	"log/slog"
	"sync"

	"github.com/tminus-mq/tminus/go/internal/capi"
)

// levelTrace is below slog's lowest named level.
const levelTrace = slog.LevelDebug - 4

// SetLogger hands the events of the core up to level to logger, in batches; nil switches them off, which is the state at
// the start. There is one for the process. Nothing is ever written elsewhere, and no secret is logged.
func SetLogger(logger *slog.Logger, level slog.Level) {
	logMutex.Lock()
	defer logMutex.Unlock()
	capi.SetLogLevel(0)
	if draining != nil {
		<-draining
		draining = nil
	}
	if logger == nil {
		return
	}
	done := make(chan struct{})
	draining = done
	capi.SetLogLevel(coreLevel(level))
	go func() {
		defer close(done)
		for {
			records, dropped, ok := capi.DrainLog()
			if !ok {
				return
			}
			for _, r := range records {
				logger.Log(context.Background(), slogLevel(r.Level), r.Message, "target", r.Target)
			}
			if dropped > 0 {
				logger.Warn("events were lost because they came faster than they were taken", "lost", dropped)
			}
		}
	}()
}

var (
	logMutex sync.Mutex
	draining chan struct{} // closed when the draining goroutine has ended
)

func coreLevel(level slog.Level) int32 {
	switch {
	case level >= slog.LevelError:
		return 1
	case level >= slog.LevelWarn:
		return 2
	case level >= slog.LevelInfo:
		return 3
	case level >= slog.LevelDebug:
		return 4
	default:
		return 5
	}
}

func slogLevel(level int32) slog.Level {
	return [...]slog.Level{slog.LevelError, slog.LevelWarn, slog.LevelInfo, slog.LevelDebug, levelTrace}[level-1]
}
