// The oracle of mesh-CEL: asks cel-go what random expressions mean, and holds the compiler's C against it.
//
//	oracle-cel FOLDER
//
// reads cases.tsv and batch<k>.out of FOLDER (generate.c says what is in them). Prints what disagrees, and how often the documented
// differences occurred. Exit 1: something disagrees.
package main

import (
	"bufio"
	"encoding/hex"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"sort"
	"strconv"
	"strings"
	"time"

	"github.com/google/cel-go/cel"
	"github.com/google/cel-go/common/types"
	"github.com/google/cel-go/common/types/ref"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/descriptorpb"
	"google.golang.org/protobuf/types/dynamicpb"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"
	"google.golang.org/protobuf/types/known/wrapperspb"
)

// Differences that docs/DECLARATION.md lists. Everything else is a disagreement.
const (
	order    = "mesh-CEL fails on a failing left side of && and ||, CEL lets the right side decide"
	between  = "mesh-CEL stops at the first item of a list that is equal, CEL computes the list first"
	wideTime = "mesh-CEL's times and durations reach further than CEL's"
	nan      = "mesh-CEL orders NaN as IEEE 754 does (false), cel-go fails"
	which    = "both fail; of several failures they report different ones"
)

type oracle struct {
	env         *cel.Env
	descriptor  protoreflect.MessageDescriptor
	rows        map[[2]int]proto.Message
	values      int
	agreed      int
	failures    int
	known       map[string]int
	disagreeing int
}

func main() {
	if len(os.Args) != 2 {
		os.Exit(2)
	}
	o := &oracle{rows: map[[2]int]proto.Message{}, known: map[string]int{}}
	must(o.read(os.Args[1]))
	fmt.Printf("# %d values, %d of them failures, %d differ as documented, %d disagree\n", o.values, o.failures, o.values-o.agreed-o.disagreeing, o.disagreeing)
	var names []string
	for name := range o.known {
		names = append(names, name)
	}
	sort.Strings(names)
	for _, name := range names {
		fmt.Printf("#   %d times %s\n", o.known[name], name)
	}
	if o.disagreeing > 0 || o.values == 0 || o.failures == 0 {
		os.Exit(1)
	}
}

func must(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(2)
	}
}

// ---- the record, as a message whose fields may be absent ----

var protoTypes = map[string]descriptorpb.FieldDescriptorProto_Type{
	"bool": descriptorpb.FieldDescriptorProto_TYPE_BOOL, "int": descriptorpb.FieldDescriptorProto_TYPE_INT64,
	"double": descriptorpb.FieldDescriptorProto_TYPE_DOUBLE, "string": descriptorpb.FieldDescriptorProto_TYPE_STRING,
	"enum": descriptorpb.FieldDescriptorProto_TYPE_STRING, "bytes": descriptorpb.FieldDescriptorProto_TYPE_BYTES,
}

var messageTypes = map[string]string{
	"time": ".google.protobuf.Timestamp", "duration": ".google.protobuf.Duration", "bool": ".google.protobuf.BoolValue",
	"int": ".google.protobuf.Int64Value", "double": ".google.protobuf.DoubleValue", "string": ".google.protobuf.StringValue",
	"enum": ".google.protobuf.StringValue", "bytes": ".google.protobuf.BytesValue",
}

func (o *oracle) declare(fields []string) error {
	message := &descriptorpb.DescriptorProto{Name: proto.String("Rec")}
	for i, field := range fields {
		part := strings.SplitN(field, "=", 3)
		nullable := strings.HasPrefix(part[0], "n")
		f := &descriptorpb.FieldDescriptorProto{Name: proto.String(part[0]), Number: proto.Int32(int32(i + 1)),
			Label: descriptorpb.FieldDescriptorProto_LABEL_OPTIONAL.Enum()}
		if t, ok := protoTypes[part[1]]; ok && !nullable {
			f.Type = t.Enum()
		} else {
			f.Type = descriptorpb.FieldDescriptorProto_TYPE_MESSAGE.Enum()
			f.TypeName = proto.String(messageTypes[part[1]])
		}
		message.Field = append(message.Field, f)
	}
	file := &descriptorpb.FileDescriptorProto{Name: proto.String("rec.proto"), Package: proto.String("t"), Syntax: proto.String("proto3"),
		Dependency:  []string{"google/protobuf/wrappers.proto", "google/protobuf/timestamp.proto", "google/protobuf/duration.proto"},
		MessageType: []*descriptorpb.DescriptorProto{message}}
	set := &descriptorpb.FileDescriptorSet{File: []*descriptorpb.FileDescriptorProto{
		protodesc.ToFileDescriptorProto(wrapperspb.File_google_protobuf_wrappers_proto),
		protodesc.ToFileDescriptorProto(timestamppb.File_google_protobuf_timestamp_proto),
		protodesc.ToFileDescriptorProto(durationpb.File_google_protobuf_duration_proto), file}}
	files, err := protodesc.NewFiles(set)
	if err != nil {
		return err
	}
	found, err := files.FindDescriptorByName("t.Rec")
	if err != nil {
		return err
	}
	o.descriptor = found.(protoreflect.MessageDescriptor)
	o.env, err = cel.NewEnv(cel.TypeDescs(files), cel.Variable("r", cel.ObjectType("t.Rec")), cel.CrossTypeNumericComparisons(true))
	return err
}

func scalar(kind, text string) (protoreflect.Value, error) {
	switch kind {
	case "bool":
		return protoreflect.ValueOfBool(text == "true"), nil
	case "int":
		v, err := strconv.ParseInt(text, 10, 64)
		return protoreflect.ValueOfInt64(v), err
	case "double":
		v, err := strconv.ParseFloat(text, 64)
		return protoreflect.ValueOfFloat64(v), err
	case "enum":
		return protoreflect.ValueOfString(text), nil
	}
	v, err := hex.DecodeString(text[1:])
	if kind == "bytes" {
		return protoreflect.ValueOfBytes(v), err
	}
	return protoreflect.ValueOfString(string(v)), err
}

func (o *oracle) row(fields []string) (proto.Message, error) {
	message := dynamicpb.NewMessage(o.descriptor)
	for _, field := range fields {
		part := strings.SplitN(field, "=", 3)
		d := o.descriptor.Fields().ByName(protoreflect.Name(part[0]))
		if part[2] == "null" {
			continue
		}
		if part[1] == "time" || part[1] == "duration" {
			us, err := strconv.ParseInt(part[2], 10, 64)
			if err != nil {
				return nil, err
			}
			inner := message.Mutable(d).Message()
			seconds, rest := us/1000000, us%1000000
			if part[1] == "time" && rest < 0 {
				seconds, rest = seconds-1, rest+1000000
			}
			inner.Set(inner.Descriptor().Fields().ByName("seconds"), protoreflect.ValueOfInt64(seconds))
			inner.Set(inner.Descriptor().Fields().ByName("nanos"), protoreflect.ValueOfInt32(int32(rest*1000)))
			continue
		}
		v, err := scalar(part[1], part[2])
		if err != nil {
			return nil, err
		}
		if d.Kind() == protoreflect.MessageKind {
			inner := message.Mutable(d).Message()
			inner.Set(inner.Descriptor().Fields().ByName("value"), v)
		} else {
			message.Set(d, v)
		}
	}
	return message, nil
}

// ---- what cel-go says ----

type program struct {
	run cel.Program
	ast *cel.Ast
}

func (o *oracle) program(text string) (program, error) {
	ast, issues := o.env.Compile(text)
	if issues.Err() != nil {
		return program{}, issues.Err()
	}
	run, err := o.env.Program(ast)
	return program{run, ast}, err
}

func (p program) answer(row any) (ref.Val, error) {
	value, _, err := p.run.Eval(map[string]any{"r": row})
	return value, err
}

// Whether the operation that failed was one on times: cel-go calls their overflow what it calls that of ints.
func (p program) failedOnTime(err error) bool {
	var failure *types.Err
	if !errors.As(err, &failure) {
		return false
	}
	t := p.ast.NativeRep().GetType(failure.NodeID())
	return t == cel.TimestampType || t == cel.DurationType
}

func shown(value ref.Val) string {
	switch v := value.(type) {
	case types.Bool:
		return strconv.FormatBool(bool(v))
	case types.Int:
		return strconv.FormatInt(int64(v), 10)
	case types.Double:
		return number(float64(v))
	case types.String:
		return "x" + hex.EncodeToString([]byte(v))
	case types.Bytes:
		return "x" + hex.EncodeToString(v)
	case types.Null:
		return "null"
	case types.Timestamp:
		return strconv.FormatInt(v.Time.Unix()*1000000+int64(v.Time.Nanosecond())/1000, 10)
	case types.Duration:
		return strconv.FormatInt(int64(v.Duration/time.Microsecond), 10)
	}
	return fmt.Sprintf("%T", value)
}

func number(v float64) string {
	if math.IsNaN(v) {
		return "nan"
	}
	if v == 0 {
		return map[bool]string{true: "-0", false: "0"}[math.Signbit(v)]
	}
	return strconv.FormatFloat(v, 'x', -1, 64)
}

// The class of a failure, in our words; "" for one that no expression of the generator should have.
func (p program) class(err error) string {
	text := err.Error()
	switch {
	case p.failedOnTime(err):
		return wideTime
	case strings.Contains(text, "by zero"):
		return "expr.divide_by_zero"
	case strings.Contains(text, "NaN values cannot be ordered"):
		return nan
	case strings.Contains(text, "overflow"):
		return "expr.overflow"
	case strings.Contains(text, "range"):
		return "expr.range"
	}
	return ""
}

// ---- holding both together ----

func (o *oracle) disagree(text string, row any, ours, theirs string) {
	o.disagreeing++
	if o.disagreeing <= 40 {
		fmt.Printf("%s\n    here %s, cel-go %s\n", text, ours, theirs)
		if row != nil && strings.Contains(text, "r.") {
			fmt.Printf("    for %v\n", row)
		}
	}
}

func (o *oracle) differs(why string) {
	o.known[why]++
}

func (o *oracle) hold(kind string, plain, strict program, text, ours string, row any) {
	o.values++
	value, err := strict.answer(row)
	if strings.HasPrefix(ours, "fault") {
		o.failures++
	}
	theirs := ""
	if err == nil {
		theirs = shown(value)
	}
	if kind == "double" && !strings.HasPrefix(ours, "fault") && ours != "null" && ours != "nan" {
		v, bad := strconv.ParseFloat(ours, 64)
		must(bad)
		ours = number(v)
	}
	if kind == "enum" && err == nil && theirs != "null" {
		theirs = string(value.(types.String))
	}
	switch {
	case err == nil && ours == theirs:
	case err == nil:
		o.disagree(text, row, ours, theirs)
		return
	case strict.class(err) == wideTime || strict.class(err) == nan:
		o.differs(strict.class(err))
		return
	case strict.class(err) == "" || !strings.HasPrefix(ours, "fault "):
		o.disagree(text, row, ours, err.Error())
		return
	case ours == "fault expr.range" && strict.class(err) == "expr.overflow" || ours == "fault "+strict.class(err):
	default:
		o.differs(which)
		return
	}
	// the text as an author writes it: CEL may differ in what it does not look at, never in a value
	value, err2 := plain.answer(row)
	switch {
	case err == nil && err2 == nil:
		theirs := shown(value)
		if kind == "enum" && theirs != "null" {
			theirs = string(value.(types.String))
		}
		if theirs != ours {
			o.disagree(text, row, ours, theirs)
			return
		}
	case err == nil && err2 != nil:
		o.differs(between)
		return
	case err != nil && err2 == nil:
		o.differs(order)
		return
	}
	o.agreed++
}

// A part of constants that the compiler refused as always failing.
func (o *oracle) always(text string) {
	o.values++
	o.failures++
	program, err := o.program(text)
	if err != nil {
		o.disagree(text, nil, "always fails", err.Error())
		return
	}
	if value, err := program.answer(nil); err == nil {
		o.disagree(text, nil, "always fails", shown(value))
		return
	}
	o.agreed++
}

func (o *oracle) expression(folder string, field []string, outputs *outputs) error {
	plain, err := o.program(field[5])
	if err != nil {
		o.values++
		o.disagree(field[5], nil, "compiles", err.Error())
	}
	strict, err2 := o.program(field[6])
	if err != nil || err2 != nil {
		if err2 != nil && err == nil {
			return fmt.Errorf("%s: %w", field[6], err2)
		}
	}
	rows := 12
	if field[4] == "closed" {
		rows = 1
	}
	batch, _ := strconv.Atoi(field[2])
	for i := 0; i < rows; i++ {
		id, row, ours, err3 := outputs.next(folder, field[2])
		if err3 != nil {
			return err3
		}
		if id != field[1] || row != strconv.Itoa(i) {
			return fmt.Errorf("batch %s: expression %s, row %d: the program printed %s %s", field[2], field[1], i, id, row)
		}
		if err == nil {
			o.hold(field[3], plain, strict, field[5], ours, o.rows[[2]int{batch, i}])
		}
	}
	return nil
}

type outputs struct {
	batch string
	lines *bufio.Scanner
}

func (out *outputs) next(folder, batch string) (id, row, value string, err error) {
	if out.batch != batch {
		file, err := os.Open(filepath.Join(folder, "batch"+batch+".out"))
		if err != nil {
			return "", "", "", err
		}
		out.batch, out.lines = batch, bufio.NewScanner(file)
	}
	if !out.lines.Scan() {
		return "", "", "", fmt.Errorf("batch %s ends too early", batch)
	}
	part := strings.SplitN(out.lines.Text(), " ", 3)
	if len(part) != 3 {
		return "", "", "", fmt.Errorf("batch %s: %q", batch, out.lines.Text())
	}
	return part[0], part[1], part[2], nil
}

func (o *oracle) read(folder string) error {
	file, err := os.Open(filepath.Join(folder, "cases.tsv"))
	if err != nil {
		return err
	}
	lines := bufio.NewScanner(file)
	lines.Buffer(nil, 1<<20)
	out := &outputs{}
	for lines.Scan() {
		field := strings.Split(lines.Text(), "\t")
		switch field[0] {
		case "row":
			if o.env == nil {
				if err := o.declare(field[3:]); err != nil {
					return err
				}
			}
			batch, _ := strconv.Atoi(field[1])
			i, _ := strconv.Atoi(field[2])
			if o.rows[[2]int{batch, i}], err = o.row(field[3:]); err != nil {
				return err
			}
		case "always":
			o.always(field[1])
		case "expr":
			if err := o.expression(folder, field, out); err != nil {
				return err
			}
		}
	}
	return lines.Err()
}
