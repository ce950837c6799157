# What Perl programs print of a request: dumper.pl CREDENTIALS
use strict;
use warnings;
use Data::Dumper;
use HTTP::Tiny;
use JSON::PP;

my ($folder) = @ARGV;

sub have {
    my ($name) = @_;
    open my $file, '<', "$folder/$name" or die "$folder/$name: $!\n";
    local $/;
    return scalar <$file>;
}

$Data::Dumper::Sortkeys = 1;
my $request = {
    url     => '/orders?access_token=' . have('es256') . '&page=2',
    headers => { Authorization => 'Bearer ' . have('rs256'), 'X-Api-Key' => have('hex32') },
};
print Dumper($request);
{
    local $Data::Dumper::Terse  = 1;
    local $Data::Dumper::Indent = 0;
    local $Data::Dumper::Useqq  = 1;
    print Dumper({ raw => 'Authorization: Bearer ' . have('b64std') . "\r\nAccept: */*\r\n" }), "\n";
    print Dumper([ authorization => 'Bearer ' . have('uuid') ]), "\n";
}
print JSON::PP->new->canonical->pretty->encode({ access_token => have('b64url'), token_type => 'Bearer' });
# Nothing listens on port 1: the answer that callers dump when they fail.
my $answer = HTTP::Tiny->new->get('http://127.0.0.1:1/orders?access_token=' . have('jwe_dir'));
print Dumper($answer);
warn 'refused token "' . have('hs256') . '"';
