BIdentity_1:0Jì
`¾àu;¿q…?Fè®?…‰À=2ök¿