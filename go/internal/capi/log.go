package capi

// #include "tminus.h"
import "C"

// Record is an event of the core's log: level 1 (error) to 5 (trace).
type Record struct {
	Level           int32
	Target, Message string
}

// SetLogLevel keeps events up to level for DrainLog; 0 ends it.
func SetLogLevel(level int32) { C.tminus_log_set_level(C.int32_t(level), nil) }

// DrainLog waits for events; false: the log was switched off.
func DrainLog() (records []Record, dropped uint64, ok bool) {
	const most = 256
	var log *C.tminus_log_t
	if C.tminus_log_drain(most, -1, &log, nil) != C.TMINUS_OK {
		return nil, 0, false
	}
	if log == nil {
		return nil, 0, true
	}
	defer C.tminus_log_free(log)
	for _, r := range cSlice(log.records, log.size) {
		record := Record{Level: int32(r.level), Target: copyText(r.target), Message: copyText(r.message)}
		records = append(records, record)
	}
	return records, uint64(log.dropped), true
}
