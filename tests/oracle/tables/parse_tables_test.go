// Prints the cases of this package's own test tables, with Go's messages. Compiled into the package by
// an overlay; see setup.sh.
package parse

import (
	"encoding/json"
	"os"
	"testing"
)

func TestPrintTables(t *testing.T) {
	out, err := os.OpenFile(os.Getenv("TABLES"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	print := func(table, name, input string) {
		c := struct {
			Table    string `json:"table"`
			Name     string `json:"name"`
			Template []byte `json:"template"`
			Parse    string `json:"parse,omitempty"`
			Same     bool   `json:"same"`
		}{Table: table, Name: name, Template: []byte(input), Same: true}
		if _, err := New(name).Parse(input, "", "", make(map[string]*Tree), builtins); err != nil {
			c.Parse = err.Error()
		}
		line, err := json.Marshal(c)
		if err != nil {
			t.Fatal(err)
		}
		out.Write(append(line, '\n'))
	}
	for _, test := range parseTests {
		print("parse", test.name, test.input)
	}
	for _, test := range errorTests {
		print("parse error", test.name, test.input)
	}
	for _, test := range numberTests {
		print("number", test.text, "{{"+test.text+"}}")
	}
}
