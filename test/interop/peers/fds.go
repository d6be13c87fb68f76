// The other end of a socket, by Go's net.UnixConn: fds SEND|RECEIVE RAW|PREFIXED|MESSAGES COUNT
//
// As fds.py, which says what messages and descriptors are. Written for Go 1.18, which gccgo 12 has.
package main

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strconv"
	"syscall"
	"unsafe"
)

const rightsRoom = 253 * 4

var direction, form = os.Args[1], os.Args[2]
var total = number(os.Args[3])
var descriptors, misassigned, lost int

func number(text string) int {
	value, err := strconv.Atoi(text)
	must(err)
	return value
}

func must(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func content(i int) []byte {
	length := i * 7919 % 5003
	if i%25 == 19 {
		length = 200000
	}
	return append(append([]byte(strconv.Itoa(i)+" "), bytes.Repeat([]byte("x"), length)...), '\n')
}

func numbersOf(i int) []uint32 {
	if form == "raw" && i%2 == 1 || form != "raw" && i%4 != 3 {
		return nil
	}
	count := i%33 + 1
	if i%200 == 199 || i%200 == 100 {
		count = 253
	}
	numbers := make([]uint32, count)
	for k := range numbers {
		numbers[k] = uint32(256*i + k)
	}
	return numbers
}

func token(number uint32) int {
	name := []byte("token\x00")
	fd, _, errno := syscall.Syscall(syscall.SYS_MEMFD_CREATE, uintptr(unsafe.Pointer(&name[0])), 1, 0) // MFD_CLOEXEC
	if errno != 0 {
		must(errno)
	}
	var bytes [4]byte
	binary.LittleEndian.PutUint32(bytes[:], number)
	_, err := syscall.Pwrite(int(fd), bytes[:], 0)
	must(err)
	return int(fd)
}

func check(i int, fds []int) {
	expected := numbersOf(i)
	for k, fd := range fds {
		var bytes [4]byte
		_, err := syscall.Pread(fd, bytes[:], 0)
		must(err)
		syscall.Close(fd)
		if k >= len(expected) || binary.LittleEndian.Uint32(bytes[:]) != expected[k] {
			misassigned++
		}
	}
	descriptors += len(fds)
	if len(expected) > len(fds) {
		lost += len(expected) - len(fds)
	}
}

func send(conn *net.UnixConn) {
	for i := 0; i < total; i++ {
		data := content(i)
		if form == "prefixed" {
			var head [4]byte
			binary.BigEndian.PutUint32(head[:], uint32(len(data)))
			data = append(head[:], data...)
		}
		var fds []int
		for _, number := range numbersOf(i) {
			fds = append(fds, token(number))
		}
		sent := 0
		if len(fds) > 0 {
			var err error
			sent, _, err = conn.WriteMsgUnix(data, syscall.UnixRights(fds...), nil)
			must(err)
		}
		if sent < len(data) { // a message has gone whole
			_, err := conn.Write(data[sent:])
			must(err)
		}
		for _, fd := range fds {
			syscall.Close(fd)
		}
		descriptors += len(fds)
	}
}

// read is one recvmsg.
func read(conn *net.UnixConn, into []byte) (int, []int) {
	room := make([]byte, syscall.CmsgSpace(rightsRoom))
	got, gotRoom, _, _, err := conn.ReadMsgUnix(into, room)
	if errors.Is(err, io.EOF) {
		return 0, nil
	}
	must(err)
	messages, err := syscall.ParseSocketControlMessage(room[:gotRoom])
	must(err)
	var fds []int
	for i := range messages {
		more, err := syscall.ParseUnixRights(&messages[i])
		must(err)
		fds = append(fds, more...)
	}
	return got, fds
}

func receivePrefixed(conn *net.UnixConn) {
	for i := 0; i < total; i++ {
		var head [4]byte
		var came []int
		for have := 0; have < len(head); {
			got, fds := read(conn, head[have:])
			if got == 0 {
				must(io.ErrUnexpectedEOF)
			}
			have += got
			came = append(came, fds...)
		}
		body := make([]byte, binary.BigEndian.Uint32(head[:]))
		_, err := io.ReadFull(conn, body)
		must(err)
		if !bytes.Equal(body, content(i)) {
			must(fmt.Errorf("message %d is not what it must be", i))
		}
		check(i, came)
	}
}

func receiveMessages(conn *net.UnixConn) {
	message := make([]byte, 300000)
	for i := 0; i < total; i++ {
		got, fds := read(conn, message)
		if !bytes.Equal(message[:got], content(i)) {
			must(fmt.Errorf("message %d is not what it must be", i))
		}
		check(i, fds)
	}
}

func receiveRaw(conn *net.UnixConn) {
	came := map[int][]int{}
	var stream []byte
	lines := 0
	chunk := make([]byte, 65536)
	for {
		got, fds := read(conn, chunk)
		if got == 0 {
			break
		}
		stream = append(stream, chunk[:got]...)
		lines += bytes.Count(chunk[:got], []byte{'\n'})
		if len(fds) > 0 {
			line := lines
			if chunk[got-1] == '\n' {
				line--
			}
			came[line] = append(came[line], fds...)
		}
	}
	for i := 0; i < total; i++ {
		expected := content(i)
		if !bytes.HasPrefix(stream, expected) {
			must(fmt.Errorf("the stream is not what it must be at message %d", i))
		}
		stream = stream[len(expected):]
		check(i, came[i])
	}
}

func openCount() int {
	entries, err := os.ReadDir("/proc/self/fd")
	must(err)
	return len(entries)
}

func main() {
	file := os.NewFile(3, "socket")
	conn, err := net.FileConn(file)
	must(err)
	file.Close()
	unix := conn.(*net.UnixConn)
	atStart := openCount()
	switch {
	case direction == "send":
		send(unix)
		must(unix.CloseWrite())
		unix.Read(make([]byte, 1)) // until the other end has gone
	case form == "raw":
		receiveRaw(unix)
	case form == "messages":
		receiveMessages(unix)
	default:
		receivePrefixed(unix)
	}
	fmt.Println(descriptors, misassigned, lost, openCount()-atStart)
}
