// Measures sends of 1 KiB: bench ENDPOINT SECONDS. One JSON line a case: one at a time, and 64 in flight.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strconv"
	"sync"
	"syscall"
	"time"

	tminus "github.com/tminus-mq/tminus/go"
)

const (
	topic     = "bench"
	bodyBytes = 1024
	warmUp    = 200
)

type result struct {
	Client       string  `json:"client"`
	InFlight     int     `json:"in_flight"`
	PerSecond    float64 `json:"messages_per_s"`
	P50us        float64 `json:"p50_us"`
	P99us        float64 `json:"p99_us"`
	CPUPerSendUs float64 `json:"cpu_us_per_message"`
}

func main() {
	if len(os.Args) != 3 {
		fmt.Fprintln(os.Stderr, "usage: bench ENDPOINT SECONDS")
		os.Exit(2)
	}
	seconds, err := strconv.ParseFloat(os.Args[2], 64)
	if err == nil {
		err = run(os.Args[1], time.Duration(seconds*float64(time.Second)))
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(endpoint string, duration time.Duration) error {
	ctx := context.Background()
	producer, err := tminus.NewProducer(ctx, endpoint, nil)
	if err != nil {
		return err
	}
	defer producer.Close(ctx)
	for range warmUp {
		if _, err := producer.Send(ctx, message()); err != nil {
			return err
		}
	}
	for _, inFlight := range []int{1, 64} {
		measured, err := measure(ctx, producer, inFlight, duration)
		if err != nil {
			return err
		}
		if err := json.NewEncoder(os.Stdout).Encode(measured); err != nil {
			return err
		}
	}
	return nil
}

func message() *tminus.Message { return &tminus.Message{Topic: topic, Body: make([]byte, bodyBytes)} }

func measure(ctx context.Context, producer *tminus.Producer, inFlight int, duration time.Duration) (*result, error) {
	took := make([][]time.Duration, inFlight)
	errs := make([]error, inFlight)
	before, started := cpu(), time.Now()
	var senders sync.WaitGroup
	for i := range inFlight {
		senders.Add(1)
		go func() {
			defer senders.Done()
			m := message()
			for last := time.Now(); last.Sub(started) < duration; {
				if _, errs[i] = producer.Send(ctx, m); errs[i] != nil {
					return
				}
				now := time.Now()
				took[i] = append(took[i], now.Sub(last))
				last = now
			}
		}()
	}
	senders.Wait()
	elapsed, used := time.Since(started), cpu()-before
	for _, err := range errs {
		if err != nil {
			return nil, err
		}
	}
	all := slices.Concat(took...)
	slices.Sort(all)
	us := func(d time.Duration) float64 { return float64(d.Nanoseconds()) / 1000 }
	return &result{
		Client: "tminus-go", InFlight: inFlight,
		PerSecond: float64(len(all)) / elapsed.Seconds(),
		P50us:     us(all[len(all)/2]), P99us: us(all[len(all)*99/100]),
		CPUPerSendUs: us(used) / float64(len(all)),
	}, nil
}

// cpu is what this process has used.
func cpu() time.Duration {
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		return 0
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}
