// The oracle: renders templates with Go's own text/template, for the tests to compare with.
//
// "oracle" answers cases on standard input, one JSON object a line, with one result a line.
// "oracle record FILE…" writes what Go answers into corpus files.
// "oracle bench TEMPLATE DATA N" prints how long N parses and executions take, in nanoseconds each.
package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"strconv"
	"text/template"
	"time"
)

// A case: bytes are base64 in JSON, since templates and outputs need not be UTF-8.
type testCase struct {
	Name       string          `json:"name"`
	Template   []byte          `json:"template"`
	Data       json.RawMessage `json:"data"`
	Numbers    string          `json:"numbers"` // "json": json.Number as in secrets; "go": int and float64
	MissingKey string          `json:"missingkey"`
	Left       string          `json:"left"`
	Right      string          `json:"right"`
	// The data is a secret's fields: dot is a pointer to a Secret.
	Secret bool `json:"secret"`
}

// Secret is like consul-template's: a struct with a map, a slice and pointers that may be nil.
type Secret struct {
	LeaseID       string
	LeaseDuration int
	Renewable     bool
	Data          map[string]any
	Warnings      []string
	Auth          *SecretAuth
}

// SecretAuth is what a pointer in a Secret points to.
type SecretAuth struct {
	ClientToken string
	Policies    []string
}

type result struct {
	Output []byte `json:"output"`
	Parse  string `json:"parse,omitempty"`
	Exec   string `json:"exec,omitempty"`
}

// value reads JSON data; whole numbers become int, as templates' constants are, where Go's are asked for.
func value(data json.RawMessage, numbers string) (any, error) {
	if len(data) == 0 {
		return nil, nil
	}
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.UseNumber()
	var v any
	if err := decoder.Decode(&v); err != nil {
		return nil, err
	}
	if numbers == "go" {
		v = goNumbers(v)
	}
	return v, nil
}

func goNumbers(v any) any {
	switch v := v.(type) {
	case json.Number:
		if i, err := strconv.Atoi(string(v)); err == nil {
			return i
		}
		f, _ := v.Float64()
		return f
	case []any:
		for i := range v {
			v[i] = goNumbers(v[i])
		}
	case map[string]any:
		for k := range v {
			v[k] = goNumbers(v[k])
		}
	}
	return v
}

func parse(c testCase) (*template.Template, error) {
	t := template.New(c.Name).Delims(c.Left, c.Right)
	if c.MissingKey != "" {
		t.Option("missingkey=" + c.MissingKey)
	}
	return t.Parse(string(c.Template))
}

func answer(c testCase) (r result) {
	data, err := value(c.Data, c.Numbers)
	if err == nil && c.Secret {
		secret := new(Secret)
		decoder := json.NewDecoder(bytes.NewReader(c.Data))
		decoder.UseNumber()
		err = decoder.Decode(secret)
		data = secret
	}
	if err != nil {
		fail(err)
	}
	t, err := parse(c)
	if err != nil {
		return result{Parse: err.Error()}
	}
	var out bytes.Buffer
	if err := t.Execute(&out, data); err != nil {
		return result{Exec: err.Error()}
	}
	return result{Output: out.Bytes()}
}

func fail(err error) {
	fmt.Fprintln(os.Stderr, "oracle:", err)
	os.Exit(1)
}

func serve() {
	in := bufio.NewScanner(os.Stdin)
	in.Buffer(nil, 64<<20)
	out := bufio.NewWriter(os.Stdout)
	defer out.Flush()
	for in.Scan() {
		var c testCase
		if err := json.Unmarshal(in.Bytes(), &c); err != nil {
			fail(err)
		}
		line, err := json.Marshal(answer(c))
		if err != nil {
			fail(err)
		}
		out.Write(append(line, '\n'))
	}
}

func bench(templateFile, dataFile, count string) {
	text, err := os.ReadFile(templateFile)
	if err != nil {
		fail(err)
	}
	raw, err := os.ReadFile(dataFile)
	if err != nil {
		fail(err)
	}
	n, err := strconv.Atoi(count)
	if err != nil {
		fail(err)
	}
	data, err := value(raw, "json")
	if err != nil {
		fail(err)
	}
	c := testCase{Name: "bench", Template: text}
	var out bytes.Buffer
	start := time.Now()
	for range n {
		t, err := parse(c)
		if err != nil {
			fail(err)
		}
		out.Reset()
		if err := t.Execute(&out, data); err != nil {
			fail(err)
		}
	}
	fmt.Println(time.Since(start).Nanoseconds() / int64(n))
}

func main() {
	switch {
	case len(os.Args) == 1:
		serve()
	case os.Args[1] == "record":
		for _, path := range os.Args[2:] {
			record(path)
		}
	case len(os.Args) == 5 && os.Args[1] == "bench":
		bench(os.Args[2], os.Args[3], os.Args[4])
	default:
		fail(fmt.Errorf("unknown arguments %q", os.Args[1:]))
	}
}
