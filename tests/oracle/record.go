package main

import (
	"fmt"
	"os"
	"strings"
)

// A corpus file is a list of cases:
//
//	case [missingkey=…] [left=…] [right=…] [numbers=go] [dot=secret]
//	the template, to the line before "data"
//	data {"the": "data"}
//	want "the output, as Go quotes it"
//
// or, for a template that fails, "parse" or "exec" with the error in place of "want". Lines that begin
// with "#" before a case are comments. record writes the last line of each case anew.
func record(path string) {
	text, err := os.ReadFile(path)
	if err != nil {
		fail(err)
	}
	var out strings.Builder
	var c *testCase
	var template []string
	for _, line := range strings.Split(strings.TrimSuffix(string(text), "\n"), "\n") {
		word, rest, _ := strings.Cut(line, " ")
		switch {
		case c == nil && word == "case":
			c, template = options(rest), nil
		case c != nil && word == "data":
			c.Template, c.Data = []byte(strings.Join(template, "\n")), []byte(rest)
			line += "\n" + said(answer(*c))
			c = nil
		case c != nil:
			template = append(template, line)
		case word == "want" || word == "parse" || word == "exec":
			continue
		}
		out.WriteString(line + "\n")
	}
	if err := os.WriteFile(path, []byte(out.String()), 0o644); err != nil {
		fail(err)
	}
}

func options(line string) *testCase {
	c := &testCase{Name: "corpus", Numbers: "json"}
	for _, field := range strings.Fields(line) {
		key, value, _ := strings.Cut(field, "=")
		switch key {
		case "missingkey":
			c.MissingKey = value
		case "left":
			c.Left = value
		case "right":
			c.Right = value
		case "numbers":
			c.Numbers = value
		case "dot":
			c.Secret = value == "secret"
		default:
			fail(fmt.Errorf("unknown option %q", key))
		}
	}
	return c
}

func said(r result) string {
	switch {
	case r.Parse != "":
		return fmt.Sprintf("parse %q", r.Parse)
	case r.Exec != "":
		return fmt.Sprintf("exec %q", r.Exec)
	}
	return fmt.Sprintf("want %q", r.Output)
}
