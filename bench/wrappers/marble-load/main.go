// Marbles as load: MarbleRun's runtime is a Go program, and so is this. Standard library only; driven by marbles-in-go.ts.
package main

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"runtime"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"
)

// plan is the first line of the input; lines of the form {"run": N} follow.
type plan struct {
	Port        int      `json:"port"`
	Fresh       bool     `json:"fresh"`
	Concurrency int      `json:"concurrency"`
	Marbles     []marble `json:"marbles"`
}

type marble struct {
	Key      string   `json:"key"`
	Cert     string   `json:"cert"`
	Requests []string `json:"requests"`
	pair     tls.Certificate
	frames   [][]byte
	client   *http.Client
}

type outcome struct {
	LatenciesMs []float64 `json:"latenciesMs"`
	Failed      int       `json:"failed"`
	FirstError  string    `json:"firstError,omitempty"`
}

func (m *marble) prepare() error {
	pair, err := tls.X509KeyPair([]byte(m.Cert), []byte(m.Key))
	if err != nil {
		return err
	}
	m.pair = pair
	for _, text := range m.Requests {
		message, err := base64.StdEncoding.DecodeString(text)
		if err != nil {
			return err
		}
		frame := make([]byte, 5, 5+len(message))
		binary.BigEndian.PutUint32(frame[1:], uint32(len(message)))
		m.frames = append(m.frames, append(frame, message...))
	}
	m.Requests = nil
	return nil
}

// connect gives a client whose first request makes the connection; the server is not authenticated, as in marbles.
func (m *marble) connect(port int) *http.Client {
	address := fmt.Sprintf("127.0.0.1:%d", port)
	return &http.Client{Transport: &http.Transport{
		DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, network, address)
		},
		TLSClientConfig:   &tls.Config{InsecureSkipVerify: true, ServerName: "localhost", Certificates: []tls.Certificate{m.pair}},
		ForceAttemptHTTP2: true,
	}}
}

func activate(client *http.Client, port int, frame []byte) error {
	request, err := http.NewRequest("POST", fmt.Sprintf("https://localhost:%d/rpc.Marble/Activate", port), bytes.NewReader(frame))
	if err != nil {
		return err
	}
	request.Header.Set("Content-Type", "application/grpc")
	request.Header.Set("Te", "trailers")
	response, err := client.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		return err
	}
	status := response.Trailer.Get("Grpc-Status")
	if status == "" {
		status = response.Header.Get("Grpc-Status")
	}
	if status != "0" || len(body) < 1000 {
		return fmt.Errorf("HTTP %d, gRPC status %q %q, %d bytes", response.StatusCode, status, response.Header.Get("Grpc-Message"), len(body))
	}
	return nil
}

func (p *plan) run(count int) outcome {
	var mutex sync.Mutex
	var begun atomic.Int64
	result := outcome{LatenciesMs: []float64{}}
	record := func(started time.Time, err error) {
		milliseconds := float64(time.Since(started).Microseconds()) / 1000
		mutex.Lock()
		defer mutex.Unlock()
		result.LatenciesMs = append(result.LatenciesMs, milliseconds)
		if err != nil {
			if result.Failed == 0 {
				result.FirstError = err.Error()
			}
			result.Failed++
		}
	}
	var workers sync.WaitGroup
	for at := 0; at < p.Concurrency; at++ {
		workers.Add(1)
		go func(own *marble) {
			defer workers.Done()
			for begun.Add(1) <= int64(count) {
				if !p.Fresh {
					if len(own.frames) == 0 {
						return
					}
					frame := own.frames[0]
					own.frames = own.frames[1:]
					started := time.Now()
					record(started, activate(own.client, p.Port, frame))
					continue
				}
				mutex.Lock()
				next := &p.Marbles[0]
				p.Marbles = p.Marbles[1:]
				mutex.Unlock()
				started := time.Now()
				client := next.connect(p.Port)
				err := activate(client, p.Port, next.frames[0])
				client.CloseIdleConnections()
				record(started, err)
			}
		}(p.workerMarble(at))
	}
	workers.Wait()
	return result
}

func (p *plan) workerMarble(at int) *marble {
	if p.Fresh {
		return nil
	}
	own := &p.Marbles[at]
	if own.client == nil {
		own.client = own.connect(p.Port)
	}
	return own
}

func main() {
	// The clients share two cores with what they measure: one thread's worth of work, and garbage that is collected less often.
	runtime.GOMAXPROCS(1)
	debug.SetGCPercent(400)
	lines := bufio.NewReaderSize(os.Stdin, 1<<20)
	decoder := json.NewDecoder(lines)
	var given plan
	fail := func(err error) {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	if err := decoder.Decode(&given); err != nil {
		fail(err)
	}
	for at := range given.Marbles {
		if err := given.Marbles[at].prepare(); err != nil {
			fail(err)
		}
	}
	output := json.NewEncoder(os.Stdout)
	for {
		var command struct {
			Run int `json:"run"`
		}
		if err := decoder.Decode(&command); err != nil {
			return
		}
		if err := output.Encode(given.run(command.Run)); err != nil {
			fail(err)
		}
	}
}
