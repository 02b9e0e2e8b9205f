package main

import (
	"context"
	"fmt"
	"sort"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	rocketmq "github.com/apache/rocketmq-client-go/v2"
	"github.com/apache/rocketmq-client-go/v2/primitive"
)

const (
	benchTopic = "bench-go-v2"
	bodyBytes  = 1024
)

type measured struct {
	Client        string  `json:"client"`
	InFlight      int     `json:"in_flight"`
	MessagesPerS  float64 `json:"messages_per_s"`
	P50           int64   `json:"p50_us"`
	P99           int64   `json:"p99_us"`
	CPUPerMessage float64 `json:"cpu_us_per_message"`
}

// bench sends 1 KiB messages one at a time, then 64 in flight, for so many seconds each, and prints a line for each.
func bench(arguments []string) error {
	if len(arguments) != 2 {
		return fmt.Errorf("%s", usage)
	}
	seconds, err := strconv.ParseFloat(arguments[1], 64)
	if err != nil {
		return err
	}
	producer, err := peer{address: arguments[0]}.startProducer()
	if err != nil {
		return err
	}
	defer func() { _ = producer.Shutdown() }()
	period := time.Duration(seconds * float64(time.Second))
	for _, inFlight := range []int{1, 64} {
		if _, err := sendFor(producer, inFlight, period/10); err != nil { // to warm up
			return err
		}
		result, err := sendFor(producer, inFlight, period)
		if err != nil {
			return err
		}
		line(result)
	}
	return nil
}

// sendFor keeps inFlight goroutines sending, each its next message when the last one was answered.
func sendFor(producer rocketmq.Producer, inFlight int, period time.Duration) (measured, error) {
	var (
		senders sync.WaitGroup
		failure atomic.Value
		took    = make([][]time.Duration, inFlight)
		body    = make([]byte, bodyBytes)
		begun   = time.Now()
		cpu     = cpuTime()
	)
	for i := range took {
		senders.Add(1)
		go func(i int) {
			defer senders.Done()
			for time.Since(begun) < period {
				sent := time.Now()
				if _, err := producer.SendSync(context.Background(), primitive.NewMessage(benchTopic, body)); err != nil {
					failure.Store(err)
					return
				}
				took[i] = append(took[i], time.Since(sent))
			}
		}(i)
	}
	senders.Wait()
	elapsed, cpu := time.Since(begun), cpuTime()-cpu
	if err, failed := failure.Load().(error); failed {
		return measured{}, err
	}

	var all []time.Duration
	for _, each := range took {
		all = append(all, each...)
	}
	sort.Slice(all, func(a, b int) bool { return all[a] < all[b] })
	return measured{
		Client:        "rocketmq-client-go",
		InFlight:      inFlight,
		MessagesPerS:  float64(len(all)) / elapsed.Seconds(),
		P50:           all[len(all)/2].Microseconds(),
		P99:           all[len(all)*99/100].Microseconds(),
		CPUPerMessage: float64(cpu.Microseconds()) / float64(len(all)),
	}, nil
}

// cpuTime is what this process has used, in user and system mode.
func cpuTime() time.Duration {
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		return 0
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}
