#!/bin/sh
# 在桌面上放一个快捷方式，指向本文件夹的 start.sh。
here=$(cd "$(dirname "$0")" && pwd)
desktop=$(xdg-user-dir DESKTOP 2>/dev/null || echo "$HOME/Desktop")
mkdir -p "$desktop"
cat > "$desktop/riskmodel-office.desktop" <<END
[Desktop Entry]
Type=Application
Name=返贫监测
Comment=返贫致贫监测 · 县级办公室（只在本机运行，不联网）
Exec="$here/start.sh"
Path=$here
Terminal=true
END
chmod +x "$desktop/riskmodel-office.desktop"
