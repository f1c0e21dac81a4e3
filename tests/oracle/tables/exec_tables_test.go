// Prints the cases of this package's own test tables, with their data as JSON and with what Go makes
// of that. Compiled into the package by an overlay; see setup.sh.
package template

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"reflect"
	"strconv"
	"strings"
	"testing"
)

type tableCase struct {
	Table    string          `json:"table"`
	Name     string          `json:"name"`
	Template []byte          `json:"template"`
	Data     json.RawMessage `json:"data"`
	Numbers  string          `json:"numbers"`
	// Same: Go makes the same of the JSON data as the table expects of its own.
	Same   bool   `json:"same"`
	Output []byte `json:"output"`
	Parse  string `json:"parse,omitempty"`
	Exec   string `json:"exec,omitempty"`
}

// plain is v as JSON can say it; false where it cannot.
func plain(v reflect.Value) (any, bool) {
	switch v.Kind() {
	case reflect.Invalid:
		return nil, true
	case reflect.Interface, reflect.Pointer:
		if v.IsNil() {
			return nil, true
		}
		return plain(v.Elem())
	case reflect.Bool:
		return v.Bool(), true
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		return v.Int(), true
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		return v.Uint(), true
	case reflect.Float32, reflect.Float64:
		return v.Float(), true
	case reflect.String:
		return v.String(), true
	case reflect.Slice, reflect.Array:
		list := []any{}
		for i := range v.Len() {
			if e, ok := plain(v.Index(i)); ok {
				list = append(list, e)
			}
		}
		return list, true
	case reflect.Map:
		object := map[string]any{}
		for _, k := range v.MapKeys() {
			if k.Kind() == reflect.Interface {
				k = k.Elem()
			}
			if k.Kind() != reflect.String {
				return nil, false
			}
			if e, ok := plain(v.MapIndex(k)); ok {
				object[k.String()] = e
			}
		}
		return object, true
	case reflect.Struct:
		object := map[string]any{}
		for i := range v.NumField() {
			if f := v.Type().Field(i); f.IsExported() {
				if e, ok := plain(v.Field(i)); ok {
					object[f.Name] = e
				}
			}
		}
		return object, true
	}
	return nil, false
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

func run(name, input string, funcs FuncMap, data any) (output []byte, parse, exec string) {
	tmpl, err := New(name).Funcs(funcs).Parse(input)
	if err != nil {
		return nil, err.Error(), ""
	}
	var b bytes.Buffer
	if err := tmpl.Execute(&b, data); err != nil {
		return nil, "", err.Error()
	}
	return b.Bytes(), "", ""
}

func TestPrintTables(t *testing.T) {
	out, err := os.OpenFile(os.Getenv("TABLES"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	funcs := FuncMap{
		"add": add, "count": count, "dddArg": dddArg, "echo": echo, "makemap": makemap,
		"die": func() (bool, error) { return false, fmt.Errorf("die") },
		"mapOfThree": mapOfThree, "oneArg": oneArg, "returnInt": returnInt, "stringer": stringer,
		"twoArgs": twoArgs, "typeOf": typeOf, "valueString": valueString, "vfunc": vfunc, "zeroArgs": zeroArgs,
	}
	print := func(table, name, input string, data any) {
		c := tableCase{Table: table, Name: name, Template: []byte(input), Numbers: "go"}
		value, ok := plain(reflect.ValueOf(data))
		if !ok {
			value = nil
		}
		c.Data, err = json.Marshal(value)
		if err != nil {
			t.Fatal(err)
		}
		decoder := json.NewDecoder(bytes.NewReader(c.Data))
		decoder.UseNumber()
		var decoded any
		if err := decoder.Decode(&decoded); err != nil {
			t.Fatal(err)
		}
		c.Output, c.Parse, c.Exec = run(name, input, funcs, goNumbers(decoded))
		output, parse, exec := run(name, input, funcs, data)
		c.Same = ok && bytes.Equal(output, c.Output) && parse == c.Parse && (exec == "") == (c.Exec == "")
		line, err := json.Marshal(c)
		if err != nil {
			t.Fatal(err)
		}
		out.Write(append(line, '\n'))
	}
	for _, test := range execTests {
		print("exec", test.name, test.input, test.data)
	}
	data := struct {
		Uthree, Ufour    uint
		NegOne, Three    int
		Ptr, NilPtr      *int
		NonNilMap        map[int]int
		Map              map[int]int
		V1, V2           V
		Iface1, NilIface fmt.Stringer
	}{Uthree: 3, Ufour: 4, NegOne: -1, Three: 3, Ptr: new(int), NonNilMap: make(map[int]int), Iface1: new(strings.Builder)}
	for _, test := range cmpTests {
		print("comparison", test.expr, fmt.Sprintf("{{if %s}}true{{else}}false{{end}}", test.expr), &data)
	}
}
