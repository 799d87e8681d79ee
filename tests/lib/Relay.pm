# SPDX-License-Identifier: GPL-2.0-or-later
# Relay: a zcmig relay whose source and destination are both this test, so that it decides what each
# socket says, and when.  Nothing here waits for longer than a minute.
package Relay;
use strict;
use warnings;
use Exporter 'import';
use File::Temp qw(tempdir);
use IO::Select;
use IO::Socket::INET;
use IO::Socket::UNIX;
use JSON::PP;
use Socket qw(SOL_SOCKET SO_LINGER IPPROTO_TCP TCP_NODELAY);

our @EXPORT = qw(main_stream channel speak take hear hear_end reset_it scratch check complaint);
my $scratch = tempdir(CLEANUP => 1);
$SIG{PIPE} = 'IGNORE';
$SIG{ALRM} = sub { die "FAIL: nothing for 60 s\n" };

sub scratch { $scratch }

sub check {
    my ($is_so, $what) = @_;
    $is_so or die "FAIL: $what, line " . (caller)[2] . "\n";
}

# What the two kinds of connection begin with.
sub main_stream { "QEVM" . pack('N', 3) }
sub channel { my ($id, $uuid) = @_; pack 'NNa16Cx7x32', 0x11223344, 1, $uuid // '', $id }

# start(KIND, OPTION...): tcp or unix at both ends; returns when it listens.
sub start {
    my ($class, $kind, @options) = @_;
    my $self = bless { kind => $kind, said => '' }, $class;
    $self->{destination} = $kind eq 'unix'
        ? IO::Socket::UNIX->new(Local => "$scratch/on", Listen => 64)
        : IO::Socket::INET->new(LocalAddr => '127.0.0.1', Listen => 64);
    $self->{destination} or die "FAIL: cannot listen: $!\n";
    my $to = $kind eq 'unix' ? "unix:$scratch/on" : 'tcp:127.0.0.1:' . $self->{destination}->sockport;
    my $listen = $kind eq 'unix' ? "unix:$scratch/in" : 'tcp:127.0.0.1:0';
    pipe my $out, my $in or die "pipe: $!\n";
    $self->{pid} = fork // die "fork: $!\n";
    if (!$self->{pid}) {
        open STDOUT, '>&', $in or die;
        open STDERR, '>', "$scratch/err" or die;
        exec $ENV{ZCMIG}, 'relay', $listen, $to, '--json', @options;
    }
    close $in;
    alarm 60;
    $self->{out} = $out;
    $self->{address} = decode_json(scalar <$out> // '{}')->{address} // die "FAIL: no relay\n";
    return $self;
}

# A connection of the source; FROM: its address.
sub connect {
    my ($self, $from) = @_;
    my $socket = $self->{kind} eq 'unix'
        ? IO::Socket::UNIX->new(Peer => "$scratch/in")
        : IO::Socket::INET->new(PeerAddr => $self->{address} =~ s/^tcp://r,
                                LocalAddr => $from // '127.0.0.1');
    $socket or die "FAIL: cannot connect: $!\n";
    setsockopt $socket, IPPROTO_TCP, TCP_NODELAY, 1 if $self->{kind} eq 'tcp';
    return $socket;
}

# The next connection that reaches the destination.
sub accept {
    my ($self) = @_;
    alarm 60;
    return $self->{destination}->accept // die "FAIL: accept: $!\n";
}

# Whether another one is there already.
sub has_another { my ($self) = @_; scalar IO::Select->new($self->{destination})->can_read(0) }

sub speak {
    my ($socket, $bytes) = @_;
    alarm 60;
    for (my $at = 0; $at < length $bytes;) {
        $at += syswrite($socket, $bytes, length($bytes) - $at, $at) // die "FAIL: cannot say: $!\n";
    }
}

# The next so many bytes.
sub take {
    my ($socket, $length) = @_;
    my $got = '';
    alarm 60;
    while (length $got < $length) {
        my $n = sysread $socket, $got, $length - length $got, length $got;
        defined $n or die "FAIL: broke off: $!\n";
        $n or die "FAIL: ended too early\n";
    }
    return $got;
}

# Exactly these bytes must come next.
sub hear {
    my ($socket, $bytes) = @_;
    take($socket, length $bytes) eq $bytes
        or die 'FAIL: heard something else, line ' . (caller)[2] . "\n";
}

# How it ends, after nothing more: "end" or the error's name.
sub hear_end {
    my ($socket) = @_;
    alarm 60;
    my $n = sysread $socket, my $bytes, 1;
    return !defined $n ? ($!{ECONNRESET} ? 'reset' : "$!") : $n ? 'bytes' : 'end';
}

sub reset_it {
    my ($socket) = @_;
    setsockopt $socket, SOL_SOCKET, SO_LINGER, pack('ii', 1, 0) or die "linger: $!";
    close $socket;
}

# The report of one session.
sub report { my ($self) = @_; alarm 60; my $out = $self->{out}; decode_json(scalar <$out> // '{}') }

# What the relay wrote to standard error.
sub complaint {
    open my $file, '<', "$scratch/err" or die;
    return join '', <$file>;
}

# ends(CODE, TEXT): the relay does so, with one error that says TEXT, if any.
sub ends {
    my ($self, $code, $text) = @_;
    alarm 60;
    waitpid $self->{pid}, 0;
    my $got = $? & 127 ? "signal $?" : $? >> 8;
    $self->{pid} = 0;
    my @lines = split /^/, complaint();
    my @errors = grep { !/^zcmig: warning: / } @lines;
    $got eq $code or die "FAIL: exit code $got, expected $code, line " . (caller)[2] . "\n@lines";
    @errors == (defined $text ? 1 : 0) && (!defined $text || index($errors[0], $text) >= 0)
        or die "FAIL: not the error '" . ($text // '') . "', line " . (caller)[2] . ":\n@lines";
    unlink "$scratch/on", "$scratch/in";
    return join '', grep { /^zcmig: warning: / } @lines;
}

sub DESTROY { my ($self) = @_; kill 'KILL', $self->{pid} if $self->{pid} }

1;
