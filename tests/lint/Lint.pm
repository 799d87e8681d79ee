# SPDX-License-Identifier: GPL-2.0-or-later
# Shared by the lints: which files the project has, and how a finding is said.  Needs only
# perl-base.  Each lint prints FILE:LINE: what is wrong, and fails if it printed anything.
package Lint;
use strict;
use warnings;
use Exporter 'import';
our @EXPORT = qw(files lines finding done);

my $findings = 0;
my $root = $ENV{ZC_SRCDIR} // die "ZC_SRCDIR is not set\n";

# What builds and editors leave in the tree is not the project's.
my $made = qr{(?:^|/)(?:\.git|\.deps|\.libs|autom4te\.cache|build-aux|build[^/]*|_build|_inst|__pycache__)$
             |\.(?:o|lo|la|a|log|trs|orig|rej|swp|cache)$|~$|/\.dirstamp$
             |^(?:aclocal\.m4|configure|config\.(?:h|h\.in|log|status)|libtool|Makefile(?:\.in)?)$
             |^m4/(?:libtool|lt.*)\.m4$}x;

sub walk {
    my ($path, $found) = @_;
    return if $path =~ $made || -l "$root/$path";
    if (-d "$root/$path") {
        # A build directory, or what make distcheck left, below the sources.
        return if $path ne '.' && (-e "$root/$path/config.status" || -e "$root/$path/configure");
        opendir my $dir, "$root/$path" or die "$path: $!\n";
        walk($path eq '.' ? $_ : "$path/$_", $found) for sort grep { !/^\.\.?$/ } readdir $dir;
    } elsif (-f _) {
        push @$found, $path;
    }
}

# All text files below the given directories (of the project's root), as paths from the root.
sub files {
    my @found;
    walk($_, \@found) for @_;
    return grep { -T "$root/$_" } @found;
}

sub lines {
    my ($path) = @_;
    open my $file, '<', "$root/$path" or die "$path: $!\n";
    return <$file>;
}

sub finding {
    my ($path, $line, $text) = @_;
    print $line ? "$path:$line: $text\n" : "$path: $text\n";
    $findings++;
}

sub done {
    print "$findings findings\n";
    exit($findings ? 1 : 0);
}

1;
