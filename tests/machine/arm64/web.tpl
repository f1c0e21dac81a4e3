{{ with secret "secret/web" -}}
user={{ .Data.user }}
number={{ .Data.number }}
hash={{ .Data.password | sha256Hex | trimSuffix "da28047151d0e56f8dc6292773603d0d6aabbdd62a11ef721d1542d8" }}
{{ end -}}
